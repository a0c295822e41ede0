#!/usr/bin/env python
"""Log users out of sites whose sessions are in a table of another package, or of their own, with a user column.

The packages and the site are real, and who is in is seen by request. Runs under the Python of an environment that has
the packages. Exit code 0: all checks held.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import namedtuple

from check_site import Sessctl, run_checks
from site_under_test import HOUR, Site, SlowRequest, Visitor, expect

# `async_stamp`: alogin() leaves the user in the column. `writes_back`: a request in flight inserts a deleted row again.
# The column refers to the table of users by a foreign key, but for the one called account_id.
Flavour = namedtuple("Flavour", "table column settings async_stamp writes_back")
FLAVOURS = {
    "user-sessions": Flavour(
        "user_sessions_session", "user_id", {"SITE_SESSIONS": "user_sessions"}, async_stamp=False, writes_back=True
    ),
    "qsessions": Flavour(
        "qsessions_session", "user_id", {"SITE_SESSIONS": "qsessions"}, async_stamp=True, writes_back=False
    ),
    "qsessions-cached": Flavour(
        "qsessions_session",
        "user_id",
        {"SITE_SESSIONS": "qsessions", "SITE_ENGINE": "qsessions.backends.cached_db"},
        async_stamp=True,
        writes_back=False,
    ),
    "custom": Flavour(
        "accounts_customsession",
        "account_id",
        {"SITE_APP": "accounts", "SITE_ENGINE": "accounts.models"},
        async_stamp=True,
        writes_back=False,
    ),
}
SETTLE = 5
GONE = 99


class FlavouredSite(Site):
    """The shop with sessions in another table."""

    def __init__(self, flavour, *arguments, **options):
        self.flavour = flavour
        os.environ.update(flavour.settings)
        super().__init__(*arguments, **options)

    def model(self):
        """The engine's own model."""
        from importlib import import_module

        from django.conf import settings

        store = import_module(settings.SESSION_ENGINE).SessionStore
        if hasattr(store, "get_model_class"):
            model = store.get_model_class()
        else:
            from user_sessions.models import Session as model
        expect(model._meta.db_table == self.flavour.table, f"the table is {model._meta.db_table}")
        return model

    def rows(self):
        """The table as that model reads it: key -> session."""
        return {row.session_key: row for row in self.model().objects.all()}

    def look(self):
        """Ask by request for every session, then compare the live logins in the table.

        Other rows may come by asking: django-user-sessions makes one for every cookie that it does not know.
        """
        for visitor in self.visitors:
            visitor.look()
        users = {key: row.get_decoded().get("_auth_user_id") for key, row in self.live_rows().items()}
        logins = {key: user for key, user in users.items() if user}
        wanted = {v.key: v.user for v in self.live() if v.user}
        expect(logins == wanted, f"{len(logins)} logins are in the table, which should be {len(wanted)}")

    def live_rows(self):
        """Those that the site would still accept."""
        from django.utils import timezone

        return {key: row for key, row in self.rows().items() if row.expire_date > timezone.now()}

    def stamps(self):
        """What the column says of each live session."""
        stamps = {key: getattr(row, self.flavour.column) for key, row in self.live_rows().items()}
        return {key: None if stamp is None else str(stamp) for key, stamp in stamps.items()}

    def stampable(self):
        """Whether the column can hold this site's users: the integer in Django's example has no place for a UUID."""
        return (self.users, self.flavour.column) != ("uuid", "account_id")


class Flavoured(Sessctl):
    """sessctl, told the table and nothing else."""

    def start(self, command, *arguments, **options):
        return super().start(command, "--table", self.site.flavour.table, *arguments, **options)


def wait_until_gone(site, key, process):
    """Until sessctl has deleted this row."""
    deadline = time.monotonic() + 60
    while key in site.rows():
        expect(process.poll() is None and time.monotonic() < deadline, "sessctl deletes the row")
        time.sleep(0.02)


# --- the checks -----------------------------------------------------------------------------------------------------


def the_site_fills_the_column(site, sessctl):
    """What the package itself writes: the user of each login, NULL for carts."""
    stamps = site.stamps()
    for visitor in site.live():
        wanted = visitor.user if site.stampable() else None
        expect(stamps[visitor.key] == wanted, f"the column says {stamps[visitor.key]}, which should be {wanted}")


def a_dry_run_deletes_nothing(site, sessctl):
    """--dry-run counts what would go."""
    report = sessctl.logout(site.spell(42), matched=len(site.of(42)), dry_run=True)
    expect(report["user_column"] == site.flavour.column, f"sessctl takes the column by itself: {report}")
    site.look()


def list_counts_as_the_site_does(site, sessctl):
    """list, of one user and of all."""
    for arguments, wanted in [(("--user", site.spell(42)), site.of(42)), ((), site.live())]:
        out = sessctl.run("list", *arguments, "--show-keys", "--format", "jsonl").out
        seen = {row["session_key"]: row["user_id"] for row in map(json.loads, out.splitlines()) if row["user_id"]}
        wanted = {v.key: v.user for v in wanted if v.user}
        expect(seen == wanted, f"list {arguments} shows {len(seen)} logins, the site {len(wanted)}, or other ones")


def exactly_one_user_goes(site, sessctl):
    """logout-user: 42 is out, 4, 142 and the carts stay; the column finds her rows, and all that stay are the proof."""
    leavers, stamps = site.of(42), list(site.stamps().values())
    for visitor in leavers:
        visitor.out = True
    report = sessctl.logout(site.spell(42), matched=len(leavers))
    expect(report["different"] == 0, f"the column is right: {report}")
    hers = sum(stamp == site.user_id(42) for stamp in stamps)
    expect(report["scanned"] == hers, f"the column names {hers} rows of hers: {report}")
    expect(report["tally"]["scanned"] >= len(site.live()), f"not all live rows are the proof: {report}")
    forget_cached(site, leavers)
    site.look()


def a_login_by_alogin_is_not_missed(site, sessctl):
    """Django's asynchronous login: stamped or not, it goes; a column that is trusted misses what is not stamped, and must be able to hold the id."""
    visitor = Visitor(site)
    visitor.user = site.user_id(42)
    visitor.get(f"/alogin/{visitor.user}")
    site.look()
    stamp, stamped = site.stamps()[visitor.key], site.flavour.async_stamp and site.stampable()
    expect(stamp == (visitor.user if stamped else None), f"the column says {stamp}")
    if site.stampable():
        sessctl.logout(site.spell(42), "--trust-column", matched=int(stamped), dry_run=True)
    else:
        refused = sessctl.run("logout-user", site.spell(42), "--trust-column", "--dry-run", code=2)
        expect("cannot hold the user id" in refused.err, refused.err)
    visitor.out = True
    sessctl.logout(site.spell(42), matched=1)
    forget_cached(site, [visitor])
    site.look()


def a_request_in_flight(site, sessctl):
    """It has read the session, which is deleted, and writes it: the next look finds what it wrote back."""
    for visitor in (Visitor(site, 42), Visitor(site, 42)):
        visitor.out = True
    slow = [SlowRequest(visitor, 1)]
    process = sessctl.start("logout-user", site.spell(42), "--settle", f"{SETTLE}s", "--format", "json")
    wait_until_gone(site, visitor.key, process)
    ended = SlowRequest.let_write(slow)
    back = visitor.key in site.rows()
    report = json.loads(sessctl.finish(process).out)
    expect(report["remaining"] == 0, f"nothing is left: {report}")
    if site.flavour.writes_back:
        expect(ended.answer == {"user": site.user_id(42), "cart": [1]} and back, f"the row is back: {ended.failure}")
        expect((report["rounds"], report["deleted"]) == (2, 3), f"and goes again: {report}")
    else:
        expect("HTTP 400" in str(ended.failure) and not back, f"the row is not written back: {ended.answer}")
        # What the column does not name is found by the look that proves, and a round of its own.
        rounds = 2 if report["scanned"] == 0 else 1
        expect((report["rounds"], report["deleted"]) == (rounds, 2), f"{rounds} rounds: {report}")
    forget_cached(site, site.visitors[-2:])
    site.look()


def requests_that_keep_coming_back(site, sessctl):
    """Each round another request in flight writes the row back: exit code 3 and `remaining`, until a later run."""
    visitor = Visitor(site, 42)
    slow = [SlowRequest(visitor, 1) for _ in range(3)]
    process = sessctl.start("logout-user", site.spell(42), "--settle", f"{SETTLE}s", "--format", "json")
    while slow:
        wait_until_gone(site, visitor.key, process)
        expect(SlowRequest.let_write(slow).answer, "the request is answered")
    report = json.loads(sessctl.finish(process, code=3).out)
    expect((report["rounds"], report["deleted"], report["remaining"]) == (3, 3, 1), f"it is said to be left: {report}")
    visitor.cart = [1]
    site.look()
    visitor.out = True
    sessctl.logout(site.spell(42), matched=1)
    site.look()


def who_does_not_wait_can_miss_them(site, sessctl):
    """What --settle is for: a request that ends after the last look has the user in again, until the next run."""
    visitor = Visitor(site, 42)
    slow = [SlowRequest(visitor, 1)]
    sessctl.logout(site.spell(42), matched=1)
    expect(SlowRequest.let_write(slow).answer, "the request is answered")
    visitor.cart = [1]
    site.look()
    visitor.out = True
    sessctl.logout(site.spell(42), matched=1)
    site.look()


def purge_takes_the_expired_and_nobody_else(site, sessctl):
    """purge-expired, with the columns that other packages add."""
    expired = Visitor(site, 7, age=-HOUR)
    report = json.loads(sessctl.run("purge-expired", "--format", "json").out)
    expect(report["deleted"] > 0 and report["left"] == 0 and expired.key not in site.rows(), f"{report}")
    site.look()


def backfill_fills_what_the_package_left(site, sessctl):
    """backfill, on the package's own column: all logins but that of a user who is gone, whom a foreign key forbids."""
    from django.contrib.auth import get_user_model

    column, refers = site.flavour.column, site.flavour.column == "user_id"
    users = get_user_model().objects.filter(pk=site.user_id(GONE))
    users.create(pk=site.user_id(GONE), username="gone", password="!")
    gone = Visitor(site, GONE)
    unstamped = [gone, Visitor(site, 4), Visitor(site, 7)]
    site.model().objects.filter(pk__in=[v.key for v in unstamped]).update(**{column: None})
    users._raw_delete("default")  # without its sessions
    logins, code = [v for v in site.live() if v.user], 0 if site.stampable() else 3
    for filled in (2 if refers else 3 if site.stampable() else 0, 0):
        report = json.loads(sessctl.run("backfill", "--column", column, "--format", "json", code=code).out)
        wanted = {
            "filled": filled,
            "logins": len(logins),
            "missing": 0,
            "different": 0,
            "unknown_users": int(refers),
            "misfits": 0 if site.stampable() else len(logins),
            "ended": "done",
        }
        seen = {name: report.get(name) for name in wanted}
        expect(seen == wanted, f"the report says {report}, which should have {wanted}")
    out = sessctl.run("backfill", "--column", column, code=code).out
    expect((" 1 login of a user who is not in " in out) == refers, f"and says so: {out}")
    stamps = site.stamps()
    for visitor in site.live():
        wanted = visitor.user if site.stampable() and not (refers and visitor is gone) else None
        expect(stamps[visitor.key] == wanted, f"the column says {stamps[visitor.key]}, which should be {wanted}")
    gone.out = True
    sessctl.logout(site.spell(GONE), matched=1)
    site.look()


def with_keep_data_carts_stay(site, sessctl):
    """logout-user --keep-data: the same browser is anonymous and finds its cart; the column is left as it is."""
    with_cart = Visitor(site, 142).add_to_cart(7)
    leavers, stamps = site.of(142), site.stamps()
    report = json.loads(sessctl.run("logout-user", site.spell(142), "--keep-data", "--format", "json").out)
    wanted = (len(leavers), 0, 0)
    expect((report["rewritten"], report["deleted"], report["remaining"]) == wanted, f"{wanted}: {report}")
    expect(site.stamps() == stamps, "the column has changed")
    forget_cached(site, leavers)
    for visitor in leavers:
        visitor.user = None
    expect(with_cart.get("/whoami")["cart"] == [7], "the cart is there")
    site.look()
    report = sessctl.logout(site.spell(142), matched=0)
    expect(report["different"] == 0, f"nobody else's: {report}")


def flush_leaves_carts_and_the_operator(site, sessctl):
    """flush-all --authenticated-only --except-user: anonymous carts and the operator's own sessions stay."""
    operator = Visitor(site, 20).add_to_cart(1)
    leavers = [v for v in site.live() if v.user not in (None, operator.user)]
    arguments = ("--yes", "--authenticated-only", "--except-user", site.spell(20), "--format", "json")
    report = json.loads(sessctl.run("flush-all", *arguments).out)
    expect((report["deleted"], report["remaining"]) == (len(leavers), 0), f"{len(leavers)} sessions: {report}")
    forget_cached(site, leavers)
    for visitor in leavers:
        visitor.out = True
    site.look()


def flush_puts_everybody_out(site, sessctl):
    """flush-all --yes: no row is left, and whoever logs in again is in."""
    leavers = site.live()
    report = json.loads(sessctl.run("flush-all", "--yes", "--format", "json").out)
    expect(report["remaining"] == 0 and report["deleted"] == report["rows"], f"all deleted: {report}")
    expect(not site.rows(), "the table is empty")
    forget_cached(site, leavers)
    for visitor in leavers:
        visitor.out = True
    site.look()
    Visitor(site, 42).add_to_cart(1)
    site.look()


def forget_cached(site, visitors):
    """With a cache in front of the table users stay in, although their rows are gone, until it forgets them too."""
    from django.conf import settings
    from django.core.cache import caches

    if not settings.SESSION_ENGINE.endswith("cached_db"):
        return
    cache = caches[settings.SESSION_CACHE_ALIAS]
    for visitor in visitors:
        entry = f"qsessions.q_cached_db{visitor.key}"
        expect(cache.get(entry) and visitor.get("/whoami")["user"] == visitor.user, "the cache keeps the login")
        cache.delete(entry)


CHECKS = [
    the_site_fills_the_column,
    a_dry_run_deletes_nothing,
    list_counts_as_the_site_does,
    exactly_one_user_goes,
    a_login_by_alogin_is_not_missed,
    a_request_in_flight,
    purge_takes_the_expired_and_nobody_else,
    backfill_fills_what_the_package_left,
    with_keep_data_carts_stay,
]
CHECKS_OF_WRITING_BACK = [requests_that_keep_coming_back, who_does_not_wait_can_miss_them]
LAST_CHECKS = [flush_leaves_carts_and_the_operator, flush_puts_everybody_out]


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", required=True, metavar="PATH", help="the binary under test")
    parser.add_argument("--flavour", choices=FLAVOURS, required=True)
    parser.add_argument("--postgres-url", metavar="URL", help="an empty database; otherwise SQLite")
    parser.add_argument("--users", choices=["int", "uuid"], default="int", help="the users' primary key")
    return parser.parse_args()


def main():
    """Make the site, run the checks in order, stop at the first that fails."""
    options = arguments()
    flavour = FLAVOURS[options.flavour]
    with tempfile.TemporaryDirectory(prefix="sessctl-site-") as folder:
        site = FlavouredSite(flavour, folder, options.postgres_url, users=options.users)
        site.fill()
        site.look()
        return run_checks(CHECKS + (CHECKS_OF_WRITING_BACK if flavour.writes_back else []) + LAST_CHECKS, options.sessctl, site, Flavoured)


if __name__ == "__main__":
    sys.exit(main())
