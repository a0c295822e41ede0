#!/usr/bin/env python
"""Log users out of a real Django site with sessctl, and see by request that exactly the right ones are out.

Runs under the Python of an environment that has Django (3.2 or newer). Exit code 0: all checks held.
"""

import argparse
import contextlib
import datetime
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple

from site_under_test import HOUR, Site, Visitor, expect

Run = namedtuple("Run", "code out err")
NOBODY = 31337


class Sessctl:
    """The program under test, pointed at the site the way an operator would."""

    def __init__(self, binary, site):
        self.binary, self.site = binary, site
        self.log = []

    def start(self, command, *arguments, secret_key=None, time_zone=True):
        """Start one command; the key goes through the environment, the database through -d."""
        line = [self.binary, command, "-d", self.site.database_url, *arguments]
        if time_zone and not self.site.postgres:
            line += ["--db-timezone", self.site.time_zone or "UTC"]
        ours = ("SESSCTL_", "DJANGO_", "DATABASE_URL", "SECRET_KEY")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        clean["SESSCTL_SECRET_KEY"] = secret_key or self.site.secret_key
        self.log.append(" ".join(line))
        pipe = subprocess.PIPE
        return subprocess.Popen(line, env=clean, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")

    def finish(self, process, stdin="", code=0):
        """Wait for the end; any exit code but those expected is a mismatch."""
        out, err = process.communicate(stdin, timeout=120)
        self.log.append(f"  exit code {process.returncode}\n  stdout: {out[:3000]}\n  stderr: {err[:3000]}")
        codes = code if isinstance(code, tuple) else (code,)
        expect(process.returncode in codes, f"exit code {process.returncode}, which should be {code}")
        return Run(process.returncode, out, err)

    def run(self, *arguments, stdin="", code=0, **options):
        """One command from start to end."""
        return self.finish(self.start(*arguments, **options), stdin, code)

    def logout(self, *arguments, matched, dry_run=False, **options):
        """One logout-user, whose report must be that of `matched` sessions found and deleted."""
        wanted = {"command": "logout-user", "dry_run": dry_run, "matched": matched, "unverified": 0, "unreadable": 0}
        wanted["deleted"] = 0 if dry_run else matched
        if not dry_run:
            wanted["remaining"] = 0
        arguments += ("--dry-run",) if dry_run else ()
        report = json.loads(self.run("logout-user", *arguments, "--format", "json", **options).out)
        seen = {name: report.get(name) for name in wanted}
        expect(seen == wanted, f"the report says {report}, which should have {wanted}")
        # A column that does not name a session leaves it to the look that proves.
        read = report["scanned"] if report["user_column"] is None else report["tally"]["scanned"]
        expect(read >= matched or report["scanned"] >= matched, f"fewer rows read than matched: {report}")
        return report


@contextlib.contextmanager
def busy(visitor):
    """The visitor keeps putting things into the cart meanwhile; the site must never answer with an error."""
    done, failures = threading.Event(), []

    def shop():
        try:
            while not done.is_set():
                visitor.add_to_cart(len(visitor.cart))
        except Exception as failure:
            failures.append(failure)

    thread = threading.Thread(target=shop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    expect(not failures, f"a request during the command failed: {failures}")


def a_wrong_key_deletes_nothing(site, sessctl):
    """Another site's SECRET_KEY: exit code 2, and every session is still there."""
    sessctl.run("logout-user", site.spell(42), secret_key="the key of another site", code=2)
    site.look()


def a_dry_run_deletes_nothing(site, sessctl):
    """--dry-run counts what would go, and every session is still there."""
    sessctl.logout(site.spell(42), matched=len(site.of(42)), dry_run=True)
    site.look()


def list_counts_as_the_site_does(site, sessctl):
    """--format count, of one user and of all, with and without the expired."""
    for arguments, wanted in [
        (("--user", site.spell(42)), len(site.of(42))),
        (("--user", site.spell(42), "--user", site.spell(4)), len(site.of(42, 4))),
        (("--user", site.spell(NOBODY)), 0),
        ((), len(site.live())),
        (("--all",), len(site.visitors)),
    ]:
        out = sessctl.run("list", *arguments, "--format", "count").out
        expect(out.strip() == str(wanted), f"list {arguments} counts {out.strip()!r}, the site {wanted}")


def list_shows_what_django_wrote(site, sessctl):
    """--format jsonl against Django's own model, all fields; session keys are masked unless asked for."""
    rows, now = site.rows(), datetime.datetime.now(datetime.timezone.utc)
    masked = sessctl.run("list", "--format", "jsonl").out
    expect(not [key for key in rows if key in masked], "list prints whole session keys without being asked")
    shown = [json.loads(line) for line in sessctl.run("list", "--show-keys", "--format", "jsonl").out.splitlines()]
    expect(len(shown) == len(masked.splitlines()), "--show-keys changes the number of rows")
    owners = {v.key: v.user for v in site.live()}
    seen = {row["session_key"]: row["user_id"] for row in shown}
    expect(seen == owners, f"list says {seen}, the site {owners}")
    for row in shown:
        session = rows[row["session_key"]]
        wanted = {
            "state": "user" if row["user_id"] else "anonymous",
            "signature": "valid",
            "layout": "signed",
            "serializer": site.serializer,
            "compressed": session.session_data.startswith("."),
            "size": len(session.session_data),
            "error": None,
            "backend": session.get_decoded().get("_auth_user_backend"),
            "payload": session.get_decoded(),
        }
        expect(wanted.items() <= row.items(), f"list says {row}, which should have {wanted}")
        saved = datetime.datetime.fromisoformat(row["saved"])
        expect(abs((now - saved).total_seconds()) < 900, f"saved just now, not at {saved}: {row}")
        expires = datetime.datetime.fromisoformat(row["expires"]).timestamp()
        wanted = session.expire_date.timestamp()
        expect(abs(expires - wanted) < 1, f"expires {row['expires']}, Django says {session.expire_date}")


def except_keeps_the_operators_own(site, sessctl):
    """--except PREFIX spares one session of the user."""
    mine, *others = site.of(42)
    for visitor in others:
        visitor.out = True
    sessctl.logout(site.spell(42), "--except", mine.key[:12], matched=len(others))
    site.look()


def logout_user_logs_out_one_user(site, sessctl):
    """Exactly user 42 is out, on a site that is being used; 4, 142, the carts and the expired rows stay."""
    Visitor(site, 42).add_to_cart(3)
    Visitor(site, 42, age=HOUR)
    leavers = site.of(42)
    for visitor in leavers:
        visitor.out = True
    with busy(site.of(4)[0]), busy(Visitor(site)):
        sessctl.logout(site.spell(42), matched=len(leavers))
    site.look()


def nobody_is_no_error(site, sessctl):
    """A user without sessions: exit code 0, nothing found."""
    sessctl.logout(site.spell(NOBODY), matched=0)
    site.look()


def many_ids_from_stdin(site, sessctl):
    """--from-file -, one id a line, together with one on the command line."""
    leavers = site.of(4, 7, 142, 20)
    for visitor in leavers:
        visitor.out = True
    lines = "".join(f"{site.spell(n)}\n" for n in (4, 7, 142, NOBODY))
    sessctl.logout(site.spell(20), "--from-file", "-", stdin=lines, matched=len(leavers))
    site.look()


def who_logs_in_again_is_in(site, sessctl):
    """The old browser and a new one both log in again, keep what they do, and can be logged out again."""
    old = next(v for v in site.visitors if v.out and v.user == site.user_id(42))
    old.cart = []
    old.log_in(42)
    old.add_to_cart(1)
    Visitor(site, 42).add_to_cart(2)
    site.look()
    for visitor in site.of(42):
        visitor.out = True
    sessctl.logout(site.spell(42), matched=2)
    site.look()


def who_comes_back_meanwhile_goes_again(site, sessctl):
    """A login between the deletes and the second look is found and deleted in another round."""
    first = Visitor(site, 42)
    process = sessctl.start("logout-user", site.spell(42), "--settle", "2s", "--format", "json")
    deadline = time.monotonic() + 60
    while first.key in site.rows() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    second = Visitor(site, 42)
    first.out = second.out = True
    report = json.loads(sessctl.finish(process, code=(0, 3)).out)
    expect(report["remaining"] == 0 and report["rounds"] >= 2, f"two rounds, nothing left: {report}")
    expect(report["deleted"] == 2, f"two sessions deleted: {report}")
    site.look()


def without_the_time_zone_nobody_stays(site, sessctl):
    """SQLite's times are naive: unless told the zone, a session that ends within the hour still goes."""
    Visitor(site, 42, age=HOUR // 2).out = True
    Visitor(site, 42).out = True
    result = sessctl.run("logout-user", site.spell(42), "--format", "json", time_zone=False)
    expect(json.loads(result.out)["remaining"] == 0, f"nothing left: {result.out}")
    for visitor in site.visitors:
        # Whether a row of hers that ended an hour ago goes too depends on the reading; it is nobody's login.
        if visitor.expired and visitor.user == site.user_id(42):
            visitor.out = visitor.key not in site.rows()
    site.look()


def purge_takes_the_expired_and_nobody_else(site, sessctl):
    """Rows that ended an hour ago go while the site is used; without a time zone they would stay for half a day."""
    for visitor in site.visitors:
        visitor.out = visitor.out or visitor.expired
    with busy(Visitor(site, 9)), busy(Visitor(site)):
        report = json.loads(sessctl.run("purge-expired", "--format", "json").out)
    expect(report["deleted"] > 0 and report["left"] == 0, f"some deleted, none left: {report}")
    site.look()


def with_keep_data_the_cart_stays(site, sessctl):
    """logout-user --keep-data: a request of the same browser is anonymous and finds its cart (a pickle goes)."""
    with_cart = Visitor(site, 142).add_to_cart(7).note("é😀\u2028")
    leavers = site.of(142)
    json_site = site.serializer == "json"
    report = json.loads(sessctl.run("logout-user", site.spell(142), "--keep-data", "--format", "json").out)
    wanted = (len(leavers), 0) if json_site else (0, len(leavers))
    expect((report["rewritten"], report["deleted"]) == wanted and report["remaining"] == 0, f"{wanted}: {report}")
    for visitor in leavers:
        visitor.user, visitor.out = None, not json_site
    expect(with_cart.out or with_cart.get("/whoami")["cart"] == [7], "the cart is there")
    site.look()


def flush_leaves_carts_and_the_operator(site, sessctl):
    """flush-all --authenticated-only --except-user: anonymous carts and the operator's own sessions stay."""
    operator = Visitor(site, 20).add_to_cart(1)
    for visitor in site.live():
        visitor.out = visitor.user not in (None, operator.user)
    arguments = ("--yes", "--authenticated-only", "--except-user", site.spell(20), "--format", "json")
    report = json.loads(sessctl.run("flush-all", *arguments).out)
    expect(report["remaining"] == 0, f"nobody else is left: {report}")
    site.look()


def flush_puts_everybody_out(site, sessctl):
    """flush-all --yes: no row is left, and whoever logs in again is in."""
    for visitor in site.visitors:
        visitor.out = True
    report = json.loads(sessctl.run("flush-all", "--yes", "--format", "json").out)
    expect(report["remaining"] == 0 and report["deleted"] == report["rows"], f"all deleted: {report}")
    site.look()
    Visitor(site, 42).add_to_cart(1)
    site.look()


CHECKS = [
    a_wrong_key_deletes_nothing,
    a_dry_run_deletes_nothing,
    list_counts_as_the_site_does,
    list_shows_what_django_wrote,
    except_keeps_the_operators_own,
    logout_user_logs_out_one_user,
    nobody_is_no_error,
    many_ids_from_stdin,
    who_logs_in_again_is_in,
    who_comes_back_meanwhile_goes_again,
    without_the_time_zone_nobody_stays,
    purge_takes_the_expired_and_nobody_else,
    with_keep_data_the_cart_stays,
    flush_leaves_carts_and_the_operator,
    flush_puts_everybody_out,
]


def run_checks(checks, path, site, program=Sessctl):
    """Run the checks in order, stop at the first that fails. The exit code."""
    for check in checks:
        sessctl = program(os.path.abspath(path), site)
        try:
            check(site, sessctl)
        except Exception as failure:
            print(f"FAILED  {check.__name__}: {check.__doc__}\n{failure!r}\n" + "\n".join(sessctl.log))
            return 1
        print(f"ok      {check.__name__}", flush=True)
    return 0


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", required=True, metavar="PATH", help="the binary under test")
    parser.add_argument("--database", choices=["sqlite", "postgres", "mysql"], default="sqlite")
    parser.add_argument("--server-url", metavar="URL", help="an empty database, unless it is SQLite's")
    parser.add_argument("--serializer", choices=["json", "pickle"], default="json")
    parser.add_argument("--uuid-users", action="store_true", help="users whose primary key is a UUID")
    parser.add_argument("--local-time", metavar="ZONE", help="USE_TZ = False and TIME_ZONE = ZONE")
    options = parser.parse_args()
    if (options.database == "sqlite") != (options.server_url is None):
        parser.error("--server-url belongs to --database postgres and mysql")
    return options


def main():
    """Make the site, run the checks in order, stop at the first that fails."""
    options = arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sessctl-site-") as folder:
        users = "uuid" if options.uuid_users else "int"
        site = Site(folder, options.server_url, options.serializer, users, options.local_time)
        site.fill()
        site.look()
        import django

        kind = f"{options.database}, {options.serializer}, {users} users, {options.local_time or 'USE_TZ'}"
        print(f"Django {django.__version__}, {kind}: {len(site.visitors)} sessions", flush=True)
        code = run_checks(CHECKS, options.sessctl, site)
    if code == 0:
        print(f"{len(CHECKS)} checks held in {time.monotonic() - began:.1f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
