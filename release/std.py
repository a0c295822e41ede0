"""The standard library of Rust for a target that is not installed, compiled from Debian's package of its source.

`rustup target add` brings it from a server that not every builder reaches; Debian's mirrors are everywhere. The source has to be
that of the installed compiler, to the patch level. What is made stays in target/rust-std.
"""

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

import crates

ROOT = crates.ROOT
# Where Debian has a newer Rust than its stable release, of which trixie-backports keeps several.
SUITES = "trixie trixie-backports forky sid"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unavailable(SystemExit):
    """No source of this compiler's standard library is to be had."""


@functools.cache
def compiler():
    """Version and commit of rustc."""
    told = subprocess.check_output(["rustc", "-vV"], text=True)
    return tuple(re.search(rf"^{name}: (\S+)$", told, re.MULTILINE)[1] for name in ("release", "commit-hash"))


def home():
    """The folder that `rustc --sysroot` takes for these targets."""
    return ROOT / "target" / "rust-std" / compiler()[0]


def holds(sysroot, target, ends="rlib"):
    return any((sysroot / "lib" / "rustlib" / target / "lib").glob(f"libstd-*.{ends}"))


def is_installed(target):
    sysroot = subprocess.check_output(["rustc", "--print", "sysroot"], text=True)
    return holds(Path(sysroot.strip()), target)


def is_made(target):
    return holds(home(), target)


def flags(target):
    """What rustc needs to use what was made. The C library and the code that starts a program are zig's then."""
    if is_installed(target):
        return []
    return [f"--sysroot={home()}"] + ["-Clink-self-contained=no"] * target.endswith("-musl")


def remap(folders):
    """Options of rustc that keep the names of these folders out of the binary: folder -> name."""
    return [f"--remap-path-prefix={folder}={name}" for folder, name in folders.items()]


def cargo_home():
    return os.environ.get("CARGO_HOME", Path.home() / ".cargo")


def make(target, command="build"):
    """Compiles it. With "check" it is enough for `cargo check`, and takes half the time."""
    version, commit = compiler()
    source, build = home() / "source", home() / "build"
    if not (source / "done").exists():
        try:
            fetch(version, source)
        except subprocess.CalledProcessError as why:
            raise Unavailable(f"apt brings no rust-src: {why}") from why
    options = ["-Zforce-unstable-if-unmarked", "-Cembed-bitcode=yes", "-Aunexpected_cfgs"]
    options += remap({source: f"/rustc/{commit}/library", cargo_home(): "/cargo"})
    variables = os.environ | {
        # The standard library alone may use what is unstable. sessctl is compiled without this.
        "RUSTC_BOOTSTRAP": "1",
        "RUSTFLAGS": " ".join(options),
        "CARGO_TARGET_DIR": str(build),
        "__CARGO_DEFAULT_LIB_METADATA": "sessctl",
    }
    line = ["cargo", command, "--quiet", "--locked", "--release", "--target", target, "--features", "panic-unwind backtrace"]
    subprocess.run(line, cwd=source / "sysroot", env=variables, check=True)
    libraries = home() / "lib" / "rustlib" / target / "lib"
    shutil.rmtree(libraries, ignore_errors=True)
    libraries.mkdir(parents=True)
    for path in (build / target / "release" / "deps").glob("*.rlib" if command == "build" else "*.rmeta"):
        shutil.copy(path, libraries)


def fetch(version, source):
    """The folder library/ of Debian's package rust-src. apt checks Debian's signature."""
    apt = home() / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    for folder in ("parts", "lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    wanted = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian")
    sites = subprocess.check_output(wanted, text=True).split() if shutil.which("apt-get") else []
    if not sites:
        raise Unavailable("only Debian's apt brings the source of Rust's standard library: rustup target add")
    lines = ("Types: deb", f"URIs: {sites[0]}", f"Suites: {SUITES}", "Components: main", f"Signed-By: {KEYS}")
    (apt / "parts" / "debian.sources").write_text("\n".join(lines) + "\n")
    places = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": apt / "parts",
        "Dir::State::Lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
    }
    options = ["-qq", *(f"-o{name}={value}" for name, value in places.items())]
    subprocess.run(["apt-get", *options, "update"], check=True)
    known = subprocess.check_output(["apt-cache", *options, "madison", "rust-src"], text=True)
    found = re.search(rf"\| ({re.escape(version)}\+\S+) \|", known)
    if not found:
        raise Unavailable(f"no package rust-src of Debian has the version of rustc, {version}:\n{known}")
    subprocess.run(["apt-get", *options, "download", f"rust-src={found[1]}"], cwd=apt, check=True)
    (package,) = apt.glob("*.deb")
    subprocess.run(["dpkg", "-x", package, apt / "unpacked"], check=True)
    shutil.rmtree(source, ignore_errors=True)
    (library,) = apt.glob("unpacked/usr/src/rustc-*/library")
    library.rename(source)
    # The shared library needs a linker of the target, and is of no use in a static program.
    manifest = source / "std" / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('crate-type = ["dylib", "rlib"]', 'crate-type = ["rlib"]'))
    shutil.rmtree(apt)
    (source / "done").touch()
