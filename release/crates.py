"""What the program is made of: the crates of Cargo.lock that are in it, their licences as one text, and a bill of materials."""

import functools
import hashlib
import json
import re
import subprocess
import tomllib
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Crates that ship no text of their licence, MIT, and the copyright line of their repository. Any other such crate is an error.
WITHOUT_TEXT = {
    "base64-simd": "Copyright (c) Nugine (https://github.com/Nugine/simd)",
    "vsimd": "Copyright (c) Nugine (https://github.com/Nugine/simd)",
    "keyed_priority_queue": "Copyright (c) 2019 Angelicos Phosphoros",
}
IS_LICENCE = re.compile(r"(licen[cs]e|unlicense|copying|copyright|notice)", re.IGNORECASE)

# What the binary holds besides crates.
REST = """\
SQLite, in libsqlite3-sys, is in the public domain (https://sqlite.org/copyright.html).

The standard library of Rust: MIT OR Apache-2.0 (https://github.com/rust-lang/rust/blob/main/COPYRIGHT). The texts of both
licences are below. A static binary also holds musl, MIT, Copyright (c) 2005-2020 Rich Felker, et al., and LLVM's libunwind,
Apache-2.0 WITH LLVM-exception (https://github.com/llvm/llvm-project/blob/main/libunwind/LICENSE.TXT).
"""


@functools.cache
def metadata(target):
    """All that cargo knows of the packages for this target."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", target]
    return json.loads(subprocess.check_output(command, cwd=ROOT))


@functools.cache
def package():
    """The package sessctl: version, description, repository and the like."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", "--no-deps"]
    packages = json.loads(subprocess.check_output(command, cwd=ROOT))["packages"]
    return next(package for package in packages if package["name"] == "sessctl")


def dependencies(target):
    """The packages in the program or in what builds it, by id, each with the ids that it depends on."""
    resolved = metadata(target)["resolve"]
    nodes = {node["id"]: node for node in resolved["nodes"]}
    found, wanted = {}, [resolved["root"]]
    while wanted:
        one = wanted.pop()
        if one not in found:
            deps = nodes[one]["deps"]
            found[one] = sorted(dep["pkg"] for dep in deps if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]))
            wanted += found[one]
    return dict(sorted(found.items()))


def shipped(target):
    """These packages, sorted by name and version."""
    packages = {package["id"]: package for package in metadata(target)["packages"]}
    return sorted((packages[one] for one in dependencies(target)), key=lambda one: (one["name"], one["version"]))


def licences(target):
    """The licences of all crates in the program as one text. Crates with the same text share it."""
    texts, lines = {}, []
    for crate in shipped(target):
        if crate["source"] is None:
            continue
        name = f"{crate['name']} {crate['version']}"
        lines.append(f"{name}: {crate['license']}\n")
        folder = Path(crate["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir() if path.is_file() and IS_LICENCE.match(path.name))
        found = [path.read_text(errors="replace").strip() for path in files] or [own_text(crate)]
        for text in found:
            texts.setdefault(text, []).append(name)
    rule = "\n" + "-" * 80 + "\n"
    parts = [rule + ", ".join(dict.fromkeys(names)) + ":\n\n" + text + "\n" for text, names in texts.items()]
    return "sessctl holds these crates:\n\n" + "".join(lines) + "\n" + REST + "".join(parts)


def own_text(crate):
    if crate["name"] not in WITHOUT_TEXT or crate["license"] != "MIT":
        raise SystemExit(f"{crate['name']} ships no licence text: add its copyright line to {__file__}")
    ours = (ROOT / "LICENSE").read_text().strip()
    return re.sub(r"^Copyright .*$", WITHOUT_TEXT[crate["name"]], ours, count=1, flags=re.MULTILINE)


def bill_of_materials(target, binary, when):
    """CycloneDX 1.5, the same for the same binary: its serial number is made of the binary's hash."""
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in locked}
    digest = hashlib.sha256(binary).hexdigest()

    def url(crate):
        return f"pkg:cargo/{crate['name']}@{crate['version']}"

    def component(crate):
        checksum = checksums[crate["name"], crate["version"]]
        found = {
            "type": "library",
            "bom-ref": url(crate),
            "name": crate["name"],
            "version": crate["version"],
            "purl": url(crate),
            "licenses": [{"expression": crate["license"].replace("/", " OR ")}],
        }
        return found | ({"hashes": [{"alg": "SHA-256", "content": checksum}]} if checksum else {})

    crates = {crate["id"]: crate for crate in shipped(target)}
    ours = next(crate for crate in crates.values() if crate["name"] == "sessctl")
    program = component(ours) | {"type": "application", "hashes": [{"alg": "SHA-256", "content": digest}]}
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {"timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": program},
        "components": [component(crate) for crate in shipped(target) if crate is not ours],
        "dependencies": [
            {"ref": url(crates[one]), "dependsOn": [url(crates[other]) for other in needed]}
            for one, needed in dependencies(target).items()
        ],
    }
    return json.dumps(bill, indent=1) + "\n"
