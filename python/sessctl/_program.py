"""Runs the program that came with this package, for the Django project of this very process."""

import json
import os
import subprocess
import sysconfig


class NotLoggedOut(Exception):
    """sessctl did not prove that no session of the user is left.

    `returncode` is its exit code, and `report` what it found, a dict as docs/output.md describes it, or None.
    """

    def __init__(self, message, returncode=None, report=None):
        super().__init__(message)
        self.returncode, self.report = returncode, report


def program():
    """The path of the program that was installed with this package."""
    beside = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    user = sysconfig.get_path("scripts", os.name + "_user")
    # The third is that of pip install --target.
    folders = [sysconfig.get_path("scripts"), user, os.path.join(beside, "bin")]
    # An environment whose packages another Python has on its path. Elsewhere, three folders up is anybody's.
    library, packages = os.path.split(beside)
    if packages == "site-packages" and os.path.basename(os.path.dirname(library)) == "lib":
        folders.append(os.path.join(os.path.dirname(os.path.dirname(library)), "bin"))
    for folder in folders:
        path = os.path.join(folder, "sessctl")
        if os.path.isfile(path):
            return path
    raise FileNotFoundError("the program sessctl is in none of " + ", ".join(folders) + ": install the package again")


def logout_user(user, keep=None, options=()):
    """Logs a user out everywhere, and returns the report of `sessctl logout-user` (docs/output.md) as a dict.

    `user` is a user or the primary key of one. The session `keep`, such as `request.session`, stays. `options` are more
    options of `sessctl logout-user`, such as `["--settle", "2s"]`. With cached_db the copies in the cache go, too.

    Raises NotLoggedOut unless sessctl proved that no other session of the user is left. sessctl has a connection of its own,
    which does not see what a transaction has not committed, and would wait for its locks: inside a transaction, call this
    with transaction.on_commit().
    """
    from . import _project

    _project.refuse_transaction()
    answer = _project.answer()
    arguments = ["logout-user", "--format=json"]
    if keep is not None and keep.session_key:
        # Others can read a command line. So much of the key names the session, and lets nobody in.
        arguments.append("--except=" + keep.session_key[:12])
    has_cache = answer["cache"] is not None and answer["cache"]["around"] is not None
    if has_cache:
        arguments.append("--print-cache-keys")
    arguments += [*options, "--", _project.id_of(user)]
    with Answer(answer) as given:
        ran = subprocess.run(
            [program()] + given.arguments + arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[given.pipe],
            env=environment(),
        )
    out, said = ran.stdout.decode(), ran.stderr.decode(errors="replace")
    if has_cache:
        # Those of sessions that are gone, also where others are left.
        _project.forget(answer["cache"]["around"], out.split())
        out = said
    report = read_report(out)
    if ran.returncode != 0 or report is None:
        raise NotLoggedOut(said.strip() or out.strip(), ran.returncode, report)
    return report


def read_report(text):
    """The report in what sessctl printed, which on standard error may have notes before it."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return None


def environment():
    """That of this process, without what would count before the project's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SESSCTL_")}


class Answer:
    """A pipe that holds what the project says of itself, SECRET_KEY included: no other process can open it, no command line
    or environment shows it, and no file has it."""

    def __init__(self, answer):
        self.text = json.dumps(answer).encode()

    def __enter__(self):
        self.pipe, write = os.pipe()
        os.set_blocking(write, False)
        try:
            written = os.write(write, self.text)
        finally:
            os.close(write)
        if written < len(self.text):
            os.close(self.pipe)
            raise ValueError("the settings of this project are larger than a pipe: %d bytes" % len(self.text))
        self.arguments = ["--django-answer=/dev/fd/%d" % self.pipe]
        return self

    def __exit__(self, *_):
        os.close(self.pipe)
