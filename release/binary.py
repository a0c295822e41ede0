"""The binary of one target: compiled, or given; what it needs at run time, and what it prints of itself."""

import datetime
import functools
import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import crates
import std

ROOT = crates.ROOT
# Newer versions of a symbol are not on every Linux that manylinux2014 names.
OLDEST_GLIBC = 17
# Kept in the release's environment, so that a build needs no network once it was made.
ENVIRONMENT = ROOT / "target" / "release-env"
SHELLS = {"bash": "sessctl.bash", "zsh": "_sessctl", "fish": "sessctl.fish"}


def say(text):
    print(f"release/build: {text}", file=sys.stderr, flush=True)


def die(text):
    say(text)
    raise SystemExit(1)


@functools.cache
def when():
    """The time that all files have: SOURCE_DATE_EPOCH, or that of the last commit."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    seconds = seconds or subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT)
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)


@functools.cache
def environment():
    """The Python of an environment with the tools of requirements.txt."""
    requirements = ROOT / "release" / "requirements.txt"
    stamp, python = ENVIRONMENT / "stamp", ENVIRONMENT / "bin" / "python"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        stamp.write_text(wanted)
    return python


def choose(target, make_std):
    """This target, or glibc in place of musl where only that is installed."""
    if std.is_installed(target) or make_std and std.is_made(target):
        return target
    if make_std:
        say(f"compiling Rust's standard library for {target}, once")
        std.make(target)
        return target
    glibc = target.replace("-musl", "-gnu")
    if glibc == target or not std.is_installed(glibc):
        die(f"the Rust target {target} is not installed, and no other for it: rustup target add {target}, or --make-std")
    say(f"the Rust target {target} is not installed (rustup target add {target}, or --make-std): building {glibc} for glibc 2.17 instead")
    return glibc


def compile(target):
    """The path of the binary, compiled with zig as C compiler and linker. No folder of this machine is in it."""
    folders = {ROOT: "/sessctl", std.cargo_home(): "/cargo"}
    variables = os.environ | {
        "PATH": f"{environment().parent}{os.pathsep}{os.environ['PATH']}",
        "RUSTFLAGS": " ".join(std.flags(target) + std.remap(folders)),
        "CFLAGS": " ".join(f"-ffile-prefix-map={folder}={name}" for folder, name in folders.items()),
        "CARGO_TARGET_DIR": str(ROOT / "target"),
    }
    glibc = f".2.{OLDEST_GLIBC}" if target.endswith("-gnu") else ""
    command = ["cargo", "zigbuild", "--release", "--locked", "--bin", "sessctl", "--target", target + glibc]
    subprocess.run(command, cwd=ROOT, env=variables, check=True)
    return ROOT / "target" / target / "release" / "sessctl"


class Binary:
    # The path of each binary of this run.
    built = []

    def __init__(self, target, given=None, make_std=False):
        target = target if given else choose(target, make_std)
        self.path = given or compile(target)
        Binary.built.append(self.path)
        self.content = self.path.read_bytes()
        self.is_static = not has_interpreter(self.content)
        self.target = target if self.is_static else target.replace("-musl", "-gnu")
        self.processor = self.target.split("-")[0]
        self.glibc = newest_glibc(self.content)
        # Otherwise it is for systems like this one only.
        self.is_portable = self.is_static or self.glibc <= OLDEST_GLIBC
        if not given and not self.is_portable:
            die(f"{self.path} needs glibc 2.{self.glibc}")

    @functools.cached_property
    def pages(self):
        """Manual pages and completions, which the binary prints: by name."""
        program = self.runnable()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([program, "man", "--output", folder], check=True)
            manual = {f"man/{path.name}": path.read_bytes() for path in sorted(Path(folder).iterdir())}
        return manual | {
            f"completions/{file}": subprocess.check_output([program, "completions", shell]) for shell, file in SHELLS.items()
        }

    @functools.cached_property
    def user_column(self):
        """The app of `sessctl django-code` for each type of column, as packages of sessctl: by path."""
        files, program = {}, self.runnable()
        for kind in ("bigint", "text", "uuid"):
            name = f"user_column_{kind}"
            with tempfile.TemporaryDirectory() as folder:
                made = Path(folder) / name
                command = [program, "django-code", "--quiet", "--type", kind, "--app", f"sessctl.{name}", "--output", made]
                subprocess.run(command, check=True)
                for path in sorted(made.rglob("*")):
                    if path.is_file():
                        files[f"{name}/{path.relative_to(made)}"] = path.read_bytes()
        return files

    @functools.cache
    def runnable(self):
        """This binary, or one of this machine where that is for another processor: they print the same."""
        for path in (self.path, *Binary.built):
            try:
                subprocess.run([path, "--version"], check=True, stdout=subprocess.DEVNULL)
                return path
            except OSError:
                pass
        variables = os.environ | {"CARGO_TARGET_DIR": str(ROOT / "target")}
        subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "sessctl"], cwd=ROOT, env=variables, check=True)
        return ROOT / "target" / "release" / "sessctl"

    @functools.cached_property
    def licences(self):
        return crates.licences(self.target).encode()

    @functools.cached_property
    def bill_of_materials(self):
        return crates.bill_of_materials(self.target, self.content, when()).encode()


def has_interpreter(elf):
    """Whether a 64-bit ELF file names a dynamic linker (PT_INTERP), and so needs a C library at run time."""
    (offset,) = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    return any(struct.unpack_from("<I", elf, offset + size * number)[0] == 3 for number in range(count))


def newest_glibc(elf):
    """N of the newest symbol version GLIBC_2.N that it asks for."""
    return max((int(number) for number in re.findall(rb"\0GLIBC_2\.(\d+)", elf)), default=0)
