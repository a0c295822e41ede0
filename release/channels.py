"""Each channel makes files of a binary: it yields their names and contents."""

import hashlib
import re
import subprocess
import tomllib
from pathlib import Path

import crates
import pack
from binary import OLDEST_GLIBC, die, environment, say, when

ROOT = crates.ROOT
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
# What a distribution of the source holds. The tests need the rest of the repository.
NOT_IN_SOURCE = (".ci/", ".github/", ".gitignore", "fixtures/", "fuzz/", "release/", "tests/")


def read(path):
    return (ROOT / path).read_bytes()


def texts(binary):
    """What goes with the binary wherever there is a folder for it."""
    own = {name: read(name) for name in ("README.md", "CHANGELOG.md", "LICENSE")}
    return own | {"LICENSES-OF-CRATES.txt": binary.licences}


def archive(binary, given):
    """A .tar.gz, as `cargo binstall` and Homebrew read it, and the bill of materials beside it."""
    name = f"sessctl-{crates.package()['version']}-{binary.target}"
    tree = {"sessctl": (binary.content, 0o755)} | texts(binary) | binary.pages
    tree |= {f"systemd/{path.name}": path.read_bytes() for path in (ROOT / "deploy").glob("sessctl-purge.*")}
    tree["sessctl.cdx.json"] = binary.bill_of_materials
    yield f"{name}.tar.gz", pack.tar_gz({f"{name}/{path}": value for path, value in tree.items()}, when())
    yield f"{name}.cdx.json", binary.bill_of_materials


# --- Python -------------------------------------------------------------------------------------------------------


def wheel(binary, given):
    """A wheel with the binary and the Django app, for every Python 3."""
    version = crates.package()["version"]
    info = f"sessctl-{version}.dist-info"
    tags = [f"py3-none-{platform}" for platform in platforms(binary)]
    tree = {f"sessctl/{path}": content for path, content in python_package(binary).items()}
    tree[f"sessctl-{version}.data/scripts/sessctl"] = binary.content, 0o755
    tree[f"{info}/METADATA"] = core_metadata(given)
    fields = ["Wheel-Version: 1.0", "Generator: release/build", "Root-Is-Purelib: false", *(f"Tag: {tag}" for tag in tags)]
    tree[f"{info}/WHEEL"] = ("\n".join(fields) + "\n").encode()
    tree[f"{info}/sboms/sessctl.cdx.json"] = binary.bill_of_materials
    tree[f"{info}/licenses/LICENSE"] = read("LICENSE")
    tree[f"{info}/licenses/LICENSES-OF-CRATES.txt"] = binary.licences
    yield f"sessctl-{version}-py3-none-{'.'.join(platforms(binary))}.whl", pack.wheel(tree, info, when())


def platforms(binary):
    """The systems that the binary runs on, as wheels name them."""
    if not binary.is_portable:
        return [f"linux_{binary.processor}"]
    glibc = [f"manylinux_2_{OLDEST_GLIBC}_{binary.processor}", f"manylinux2014_{binary.processor}"]
    return glibc + [f"musllinux_1_1_{binary.processor}"] * binary.is_static


def python_package(binary):
    """The files of the package sessctl: those of python/, and what the binary prints."""
    folder = ROOT / "python" / "sessctl"
    own = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.py"))}
    return own | binary.user_column


def core_metadata(given):
    """METADATA or PKG-INFO (version 2.4), of Cargo.toml and pyproject.toml."""
    package, project = crates.package(), tomllib.loads(read("pyproject.toml").decode())["project"]
    fields = [
        "Metadata-Version: 2.4",
        "Name: sessctl",
        f"Version: {package['version']}",
        f"Summary: {package['description']}",
        f"Keywords: {','.join(package['keywords'])}",
        "License-Expression: MIT",
        "License-File: LICENSE",
        "License-File: LICENSES-OF-CRATES.txt",
        *(f"Classifier: {one}" for one in project["classifiers"]),
        *([f"Project-URL: Repository, {given.repository}"] if given.repository else []),
        f"Requires-Python: {project['requires-python']}",
        "Description-Content-Type: text/markdown",
    ]
    return ("\n".join(fields) + "\n\n" + long_description(given)).encode()


def long_description(given):
    """The README without relative links: they lead to the repository, or are plain text while it has no address."""
    page = f"{given.repository}/blob/v{crates.package()['version']}/"

    def absolute(link):
        mark, text, to = link.groups()
        if given.repository:
            return f"{mark}[{text}]({page.replace('/blob/', '/raw/') if mark else page}{to})"
        return "" if mark else text

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)", absolute, read("README.md").decode())


def sdist(binary, given):
    """The source, from which pip builds a wheel where none fits: it needs Rust and a C compiler there."""
    name = f"sessctl-{crates.package()['version']}"
    tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    tree = {path: read(path) for path in tracked if not path.startswith(NOT_IN_SOURCE)}
    tree |= {f"python/sessctl/{path}": content for path, content in binary.user_column.items()}
    tree |= {"PKG-INFO": core_metadata(given), "LICENSES-OF-CRATES.txt": binary.licences}
    yield f"{name}.tar.gz", pack.tar_gz({f"{name}/{path}": value for path, value in tree.items()}, when())


# --- Debian -------------------------------------------------------------------------------------------------------

MAINTAINER = "sessctl maintainers <maintainers@sessctl.invalid>"
COPYRIGHT = f"""\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: sessctl

Files: *
Copyright: 2026 the sessctl authors
License: Expat
Comment: The crates in the binary have licences of their own: LICENSES-OF-CRATES.txt, beside this file.

License: Expat
"""


def deb(binary, given):
    """A Debian package: the timer in it is disabled until a person enables it."""
    version = f"{crates.package()['version']}-1"
    own, doc = ROOT / "release" / "debian", "usr/share/doc/sessctl"
    changes = f"sessctl ({version}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n"
    changes += f" -- {MAINTAINER}  {when():%a, %d %b %Y %H:%M:%S} +0000\n"
    licence = "".join(f" {line or '.'}\n" for line in read("LICENSE").decode().splitlines()[4:])
    service = read("deploy/sessctl-purge.service").replace(b"/usr/local/bin/", b"/usr/bin/")
    tree = {
        "usr/bin/sessctl": (binary.content, 0o755),
        "lib/systemd/system/sessctl-purge.service": service,
        "lib/systemd/system/sessctl-purge.timer": read("deploy/sessctl-purge.timer"),
        "etc/sessctl": (None, 0o755),
        "etc/sessctl/environment": ((own / "environment").read_bytes(), 0o600),
        f"{doc}/copyright": (COPYRIGHT + licence).encode(),
        f"{doc}/changelog.gz": pack.gzipped(read("CHANGELOG.md")),
        f"{doc}/changelog.Debian.gz": pack.gzipped(changes.encode()),
        f"{doc}/LICENSES-OF-CRATES.txt.gz": pack.gzipped(binary.licences),
        f"{doc}/README.Debian": (own / "README.Debian").read_bytes(),
        f"{doc}/deploy.md": read("docs/deploy.md"),
        f"{doc}/sessctl.cdx.json.gz": pack.gzipped(binary.bill_of_materials),
        "usr/share/bash-completion/completions/sessctl": binary.pages["completions/sessctl.bash"],
        "usr/share/zsh/vendor-completions/_sessctl": binary.pages["completions/_sessctl"],
        "usr/share/fish/vendor_completions.d/sessctl.fish": binary.pages["completions/sessctl.fish"],
    }
    if binary.is_static:
        note = b"# One binary for every release of every distribution.\nsessctl: statically-linked-binary\n"
        tree["usr/share/lintian/overrides/sessctl"] = note
    for name, page in binary.pages.items():
        if name.startswith("man/"):
            tree[f"usr/share/man/man1/{Path(name).name}.gz"] = pack.gzipped(page)
    size = sum(len(content) // 1024 + 1 for _, (content, _) in pack.entries(tree) if content is not None)
    fields = {
        "Package": "sessctl",
        "Version": version,
        "Architecture": DEBIAN[binary.processor],
        "Maintainer": MAINTAINER,
        "Installed-Size": size,
        "Depends": None if binary.is_static else f"libc6 (>= 2.{binary.glibc}), libgcc-s1",
        "Section": "admin",
        "Priority": "optional",
        "Homepage": given.repository,
        "Description": "log Django users out, purge and inspect session tables",
    }
    control = "".join(f"{name}: {value}\n" for name, value in fields.items() if value)
    control += (
        " sessctl finds the sessions of a user in Django's session table, which no SQL\n"
        " query can, deletes them and verifies that none is left. It also purges\n"
        " expired sessions in short transactions beside a live site.\n"
    )
    scripts = {name: ((own / name).read_bytes(), 0o755) for name in ("postinst", "prerm", "postrm")}
    files = {"control": control.encode(), "conffiles": b"/etc/sessctl/environment\n"} | scripts
    yield f"sessctl_{version}_{DEBIAN[binary.processor]}.deb", pack.deb(files, tree, when())


# --- Containers ---------------------------------------------------------------------------------------------------


def image(binary, given):
    """An OCI image from scratch, and its one layer, of which deploy/Dockerfile makes the same image."""
    if not binary.is_static:
        say(f"no image: {binary.target} is linked with the system's C library, and there is none in an image from scratch")
        return
    version = crates.package()["version"]
    certificates = subprocess.check_output([environment(), "-m", "certifi"], text=True).strip()
    tree = {
        "usr/bin/sessctl": (binary.content, 0o755),
        "etc/ssl/certs/ca-certificates.crt": Path(certificates).read_bytes(),
        "etc/passwd": b"sessctl:x:65532:65532:sessctl:/:/sbin/nologin\n",
        "etc/group": b"sessctl:x:65532:\n",
        "tmp": (None, 0o1777),
    } | {f"usr/share/doc/sessctl/{name}": text for name, text in texts(binary).items()}
    layer = pack.tar(tree, when())
    labels = {"title": "sessctl", "version": version, "licenses": "MIT", "source": given.repository}
    config = {
        "User": "65532:65532",
        "Env": ["PATH=/usr/bin"],
        "Entrypoint": ["/usr/bin/sessctl"],
        "Labels": {f"org.opencontainers.image.{name}": value for name, value in labels.items() if value},
    }
    processor = DEBIAN[binary.processor]
    name = f"sessctl-{version}-{processor}"
    yield f"{name}.rootfs.tar", layer
    yield f"{name}.oci.tar", pack.oci_image(layer, config, processor, version, when())


# --- Source -------------------------------------------------------------------------------------------------------


def crate(_, given):
    """Both crates, compiled from what `cargo publish` would upload. Publishes nothing."""
    subprocess.run(["cargo", "publish", "--locked", "--workspace", "--dry-run"], cwd=ROOT, check=True)
    for path in sorted((ROOT / "target" / "package").glob("*.crate")):
        yield path.name, path.read_bytes()


def formula(_, given):
    """Homebrew's formula for the archives that are in the output folder."""
    version = crates.package()["version"]
    if not given.repository:
        say("no formula: it needs the address that archives are downloaded from (repository in Cargo.toml, or --repository)")
        return
    patterns = {processor: f"sessctl-{version}-{processor}-unknown-linux-*.tar.gz" for processor in DEBIAN}
    words = {"REPOSITORY": given.repository, "VERSION": version}
    for kind, pattern in (patterns | {"source": f"sessctl-{version}.tar.gz"}).items():
        found = sorted(given.output.glob(pattern))
        if not found:
            die(f"the formula needs {pattern} in {given.output}")
        words |= {f"FILE_{kind}": found[0].name, f"SHA256_{kind}": hashlib.sha256(found[0].read_bytes()).hexdigest()}
    text = read("release/sessctl.rb").decode()
    yield "sessctl.rb", re.sub(r"\{\{(\w+)\}\}", lambda word: words[word[1]], text).encode()
