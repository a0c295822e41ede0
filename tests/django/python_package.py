#!/usr/bin/env python
"""The Django app of the Python package on a site in use: `manage.py sessctl` and `sessctl.logout_user()`, by request.

The package is in a folder, as `pip install --target` leaves it. Exit code 0: all checks held.
"""

import argparse
import os
import stat
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from site_under_test import Mismatch, Site, Visitor, expect

HERE = Path(__file__).resolve().parent


def log_out_elsewhere(site):
    """In a view: the visitor's other sessions go, and this one stays."""
    here = site.of(7)[0]
    others = [one for one in site.of(7) if one is not here]
    answer = here.get("/elsewhere")
    expect(answer == {"deleted": len(others)} and others, f"{len(others)} others: {answer}")
    out(others)
    site.look()
    # There is no other now. A cache could hold copies of rows that earlier runs deleted, which is a doubt.
    if site.is_cached:
        refused(lambda: logout_user(here, here), "cache")
        expect(logout_user(here, here, options=["--cache-cleared"])["deleted"] == 0, "no other")
    else:
        expect(here.get("/elsewhere") == {"deleted": 0}, "no other")
    site.look()


def logout_user(visitor, keep=None, options=()):
    """The function itself, for the user of this visitor."""
    import sessctl
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    user = get_user_model().objects.get(pk=visitor.user)
    return sessctl.logout_user(user, keep and SessionStore(keep.key), options)


def refused(call, text):
    """It raises NotLoggedOut, which says so."""
    import sessctl

    try:
        call()
    except sessctl.NotLoggedOut as error:
        expect(text in str(error), f"not {text!r}: {error}")
        return error
    raise Mismatch(f"nothing was raised: {text}")


def log_out_a_key(site):
    """Outside a view, by primary key; a transaction that has not ended is refused, and its end is soon enough."""
    import sessctl
    from django.db import transaction

    visitors, ran = site.of(12), []
    with transaction.atomic():
        refused(lambda: logout_user(visitors[0]), "on_commit")
        site.look()
        transaction.on_commit(lambda: ran.append(sessctl.logout_user(site.user_id(12))["deleted"]))
    expect(ran == [len(visitors)] and visitors, f"after the commit: {ran}")
    out(visitors)
    site.look()


def show_no_secret(site, folder):
    """The program's arguments and environment have neither SECRET_KEY nor a whole session key."""
    from sessctl import _project, _program

    path, seen = _program.program(), folder / "seen"
    spy = folder / "spy"
    spy.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >>"{seen}"\nexec "{path}" "$@"\n')
    spy.chmod(spy.stat().st_mode | stat.S_IXUSR)
    here, *others = site.of(42)
    # Not the program's business here: SECRET_KEY is in this site's environment already.
    own = os.environ.pop("SITE_SECRET_KEY")
    original, _program.program = _program.program, lambda: str(spy)
    try:
        expect(logout_user(here, here)["deleted"] == len(others), "the others of user 42")
    finally:
        _program.program = original
        os.environ["SITE_SECRET_KEY"] = own
    out(others)
    site.look()
    text = seen.read_text()
    expect(f"--except={here.key[:12]}" in text, text)
    for secret in (site.secret_key, here.key):
        expect(secret not in text, "the program's arguments or environment show a secret")


def manage(site, *arguments):
    """`manage.py sessctl` in a process of its own: exit code, standard output and standard error."""
    command = [sys.executable, "-B", str(HERE / "manage.py"), "sessctl", *arguments]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


def manage_by_name(site):
    """The command has database, keys and users of the project, and the exit codes of the program."""
    visitors = site.of(5)
    code, said, error = manage(site, "logout-user", "--username", "user-5", "--dry-run")
    expect(code == 0 and f"{len(visitors)} live sessions of user" in said, f"{code} {said} {error}")
    site.look()
    copies = ["--print-cache-keys"] if site.is_cached else []
    code, said, error = manage(site, "--settings=shop.settings", "logout-user", "--username", "user-5", *copies)
    expect(code == 0 and f"{len(visitors)} sessions deleted" in said + error, f"{code} {said} {error}")
    if site.is_cached:
        # Whoever asks for the keys deletes the copies; here the cache is in this process.
        from sessctl import _project

        _project.forget(_project.answer()["cache"]["around"], said.split())
    out(visitors)
    site.look()
    for arguments, wanted in ((["logout-user", ""], 2), (["flush-all"], 4), (["--help"], 0), (["--version"], 0)):
        code, said, error = manage(site, *arguments)
        expect(code == wanted, f"{arguments}: {code} {said} {error}")
    site.look()


def call_command(site):
    """From the project's own code; a failure is CommandError."""
    from django.core.management import CommandError
    from django.core.management import call_command as call

    expired = [visitor for visitor in site.visitors if visitor.expired and not visitor.out]
    call("sessctl", "purge-expired", "--quiet")
    expect(expired, "there is an expired session")
    out(expired)
    site.look()
    try:
        call("sessctl", "logout-user", "")
    except CommandError as error:
        expect("exit code 2" in str(error), str(error))
    else:
        raise Mismatch("nothing was raised")


def out(visitors):
    """These sessions are gone."""
    for visitor in visitors:
        visitor.out = True


def run(arguments, folder):
    sys.path.insert(0, str(arguments.package))
    os.environ.update(
        PYTHONPATH=str(arguments.package),
        SITE_APP="sessctl",
        SITE_ENGINE=f"django.contrib.sessions.backends.{arguments.engine}",
        # What would count before the project's settings, were it not left out.
        SESSCTL_SECRET_KEY="not the site's",
        SESSCTL_DATABASE_URL="postgres://nobody@127.0.0.1:1/nothing",
    )
    site = Site(folder, arguments.server_url, users=arguments.users)
    site.is_cached = arguments.engine == "cached_db"
    site.fill()
    Visitor(site, 7)
    site.look()
    log_out_elsewhere(site)
    log_out_a_key(site)
    show_no_secret(site, folder)
    manage_by_name(site)
    call_command(site)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", help="not needed: the package has one")
    parser.add_argument("--package", required=True, type=Path)
    parser.add_argument("--server-url", help="PostgreSQL or MariaDB; a SQLite file otherwise")
    parser.add_argument("--engine", choices=["db", "cached_db"], default="db")
    parser.add_argument("--users", choices=["int", "uuid"], default="int")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sessctl-package-") as folder:
        try:
            run(arguments, Path(folder))
        except Exception:
            traceback.print_exc()
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
