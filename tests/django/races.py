#!/usr/bin/env python
"""Log a user out again and again while this user and others use the site, and see by request who is in afterwards.

In each round five browsers of user 42 put things into their carts, rotate their session keys and change the password while
sessctl logs 42 out; others do so too, and log in and out. Once sessctl has begun, the site lets 42 not log in again: who
logs in after the last look is in, and that is no fault. What must hold when it has ended with exit code 0 and the requests
that were under way are over: no browser of 42 is in, and everybody else is as they left it. Exit code 0: it did hold.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time

from check_site import Sessctl
from site_under_test import Mismatch, Site, Visitor, expect

SETTLE = 0.3  # seconds, at least: longer than a request takes
BROWSERS = 5
ENGINES = {
    "db": {},
    "cached_db": {"SITE_ENGINE": "django.contrib.sessions.backends.cached_db"},
    "user-sessions": {"SITE_SESSIONS": "user_sessions"},
}
CACHE_PREFIX = "django.contrib.sessions.cached_db"


class Racer(threading.Thread):
    """One browser, in a thread of its own: it does now this, now that, until the round is over."""

    def __init__(self, visitor, leaver, over, chance):
        super().__init__()
        self.visitor, self.leaver, self.over, self.chance = visitor, leaver, over, chance
        self.interrupted, self.longest, self.failure = 0, 0.0, None

    def run(self):
        try:
            while not self.over.is_set():
                began = time.monotonic()
                self.request()
                self.longest = max(self.longest, time.monotonic() - began)
                time.sleep(self.chance.uniform(0.01, 0.06))
        except Exception as failure:  # whatever it is, a person would have seen it
            self.failure = failure

    def request(self):
        """One request. Of who is being logged out, one may be interrupted."""
        visitor, what = self.visitor, self.chance.random()
        try:
            if what < 0.2:
                visitor.get("/rotate")
            elif what < 0.25 and visitor.site.changes_password(visitor):
                visitor.get("/password")
            elif what < 0.35 and not self.leaver:
                self.leave_or_enter()
            else:
                item = len(visitor.cart)
                answer = visitor.get(f"/cart/add/{item}")
                visitor.cart = answer["cart"] if self.leaver else visitor.cart + [item]
        except Mismatch as failure:
            if not self.leaver or "HTTP 400" not in str(failure):
                raise
            self.interrupted += 1

    def leave_or_enter(self):
        """Log out, which empties the cart, or log in, which keeps it."""
        visitor = self.visitor
        if visitor.user:
            visitor.get("/logout")
            visitor.user, visitor.cart = None, []
        else:
            visitor.log_in(visitor.number)


class RaceSite(Site):
    """The shop with another engine, and a visitor of each user who may change the password."""

    def changes_password(self, visitor):
        """Whether this browser may: it puts all others of its user out."""
        return self.firsts.get(visitor.number) is visitor

    def rows_of(self, user):
        """The keys of the sessions in which the site would find this user."""
        from importlib import import_module

        from django.conf import settings
        from django.utils import timezone

        store = import_module(settings.SESSION_ENGINE).SessionStore
        if hasattr(store, "get_model_class"):
            model = store.get_model_class()
        else:
            from user_sessions.models import Session as model
        rows = model.objects.filter(expire_date__gt=timezone.now())
        return [row.session_key for row in rows if row.get_decoded().get("_auth_user_id") == user]


def visitor(site, number):
    """A browser that has logged in."""
    new = Visitor(site, number)
    new.number = number
    site.firsts.setdefault(number, new)
    return new


def log_out(site, binary, engine, settle):
    """sessctl, as its documents say to run it on such a site, until it says that 42 is out; how often that was."""
    # Without the key, a moment in which nobody at all is logged in would be a doubt.
    key = ["--user-key", "_auth_user_id"]
    arguments = ["logout-user", site.user_id(42), *key, "--settle", f"{settle:.1f}s", "--format", "json"]
    if engine == "user-sessions":
        arguments += ["--table", "user_sessions_session"]
    if engine == "cached_db":
        arguments += ["--print-cache-keys"]
    for run in range(1, 20):
        sessctl = Sessctl(binary, site)
        if engine == "cached_db":
            # The entries of the run before are gone.
            cleared = ["--cache-cleared"] if run > 1 else []
            ran, report = with_cache(sessctl, arguments + cleared, settle)
        else:
            ran = sessctl.run(*arguments, code=(0, 3))
            report = json.loads(ran.out)
        # A first run that finds no row does not know what the cache holds.
        is_proved = report["remaining"] == 0 and not report["cached"]
        expect((ran.code == 0) == is_proved, f"exit code {ran.code}: {report}")
        # An entry that a request put back may have been used until it went again, and that may have made a row.
        if ran.code == 0 and not (engine == "cached_db" and report["deleted"]):
            return run, report["rounds"]
    raise Mismatch("42 comes back whatever is done")


def with_cache(sessctl, arguments, settle):
    """The entries go as their keys are printed, and once more when requests that had read the rows before are over."""
    from django.core.cache import cache

    process = sessctl.start(*arguments)
    process.stdin.close()
    process.stdin = None
    keys = []
    for line in process.stdout:
        keys.append(line.strip().removeprefix(":1:"))
        cache.delete(keys[-1])
    ran = sessctl.finish(process, code=(0, 3))
    time.sleep(settle)
    for key in keys:
        cache.delete(key)
    report = next(line for line in ran.err.splitlines() if line.startswith("{"))
    return ran, json.loads(report)


def race(site, others, options, chance, settle):
    """One round: how many runs and looks it took, how many requests were interrupted, and the longest request.

    A round in which a request took longer than sessctl was told to wait proves nothing of 42, who then goes unseen.
    """
    site.firsts.pop(42, None)
    leavers = [visitor(site, 42) for _ in range(BROWSERS)]
    over = threading.Event()
    racers = [Racer(v, v in leavers, over, random.Random(chance.random())) for v in leavers + others]
    for racer in racers:
        racer.start()
    time.sleep(chance.uniform(0, 0.2))
    try:
        runs, looks = log_out(site, options.sessctl, options.engine, settle)
    finally:
        over.set()
        for racer in racers:
            racer.join()
    failures = [racer.failure for racer in racers if racer.failure]
    expect(not failures, f"requests failed: {failures}")
    longest = max(racer.longest for racer in racers)
    for leaver in leavers:
        seen = leaver.get("/whoami")["user"]
        expect(seen is None or longest > settle, f"a browser of 42 is still in ({str(leaver.key)[:8]})")
        site.visitors.remove(leaver)
    expect(not site.rows_of("42") or longest > settle, "a session of 42 is in the table")
    for other in others:
        other.look()
    return runs, looks, sum(racer.interrupted for racer in racers), longest


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", required=True, type=os.path.abspath, metavar="PATH", help="the binary under test")
    parser.add_argument("--engine", choices=ENGINES, default="db")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--server-url", metavar="URL", help="an empty database of a server; otherwise SQLite")
    return parser.parse_args()


def main():
    """Rounds, until one of them fails."""
    options, chance = arguments(), random.Random()
    os.environ.update(ENGINES[options.engine])
    with tempfile.TemporaryDirectory(prefix="sessctl-races-") as folder:
        site = RaceSite(folder, options.server_url)
        site.firsts = {}
        if not options.server_url:
            # With a rollback journal so many writers would keep each other waiting for seconds.
            from django.db import connection

            connection.cursor().execute("PRAGMA journal_mode = wal")
        others = [visitor(site, number) for number in (4, 7, 142)]
        results, slow, settle = [], 0, SETTLE
        while len(results) < options.rounds:
            try:
                result = race(site, others, options, chance, settle)
            except Mismatch as failure:
                print(f"FAILED    round {len(results) + 1}, --settle {settle:.1f}s: {failure}")
                return 1
            if result[-1] > settle:
                slow += 1
                settle = 2 * result[-1]
                expect(slow < 5 + options.rounds, "the machine is too busy for this")
            else:
                results.append(result)
                settle = max(SETTLE, 0.9 * settle, 2 * result[-1])
                if len(results) % 100 == 0:
                    print(f"{len(results)} of {options.rounds} rounds", file=sys.stderr)
        runs, looks, interrupted, longest = zip(*results)
        print(
            f"{len(results)} rounds on {options.engine}: {sum(runs)} runs, looks in the last of them up to {max(looks)}, "
            f"{sum(interrupted)} requests of 42 interrupted, longest request {max(longest):.2f} s; {slow} more rounds in "
            "which a request took longer than --settle"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
