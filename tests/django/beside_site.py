#!/usr/bin/env python
"""Purge or backfill a site's sessions while it is being used, and measure what its visitors notice of it.

The shop is served by a process of its own. Four threads of logged-in visitors read and write their sessions and check
every answer, before, while and after a command works on the table beside them: sessctl, or Django's own clearsessions.
Runs under the Python of an environment with Django. Exit code 0: no request failed, none was held up for long, exactly
the live sessions are left, and after a backfill each says whose it is. Among what it prints are the
figures of docs/performance.md.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

from site_under_test import USERS, Mismatch, Site, Visitor, expect

THREADS = 4
VISITORS_PER_THREAD = 25
WARM_UP = 3
LONG_ENOUGH = 5  # seconds of a run, to say how many requests there are in one of them

Answer = namedtuple("Answer", "began ended failure")
Run = namedtuple("Run", "began ended code said")


class SiteApart(Site):
    """The shop in a process of its own: what is measured is the site, not its visitors in the same interpreter."""

    def _serve(self):
        from django.db import connections

        server = self._server()
        connections.close_all()  # none may be shared with the other process
        multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True).start()
        server.socket.close()


def fill(expired, live):
    """Add rows of a site that has not purged for 60 days, and return the keys of those that are live."""
    from django.contrib.sessions.backends.base import VALID_KEY_CHARS
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connection, transaction
    from django.utils import timezone

    chance = random.Random(1)
    data = [SessionStore().encode(login(chance)) for _ in range(300)]
    ends = [-chance.uniform(0.01, 60) for _ in range(expired)]
    ends += [chance.uniform(0.1, 14) for _ in range(live)]
    # Rows lie in the order of their logins, which is only about that of their ends.
    ends.sort(key=lambda end: end + chance.gauss(0, 1))
    now, keys = timezone.now(), ["".join(chance.choices(VALID_KEY_CHARS, k=32)) for _ in ends]
    adapt = connection.ops.adapt_datetimefield_value
    rows = ((key, chance.choice(data), adapt(now + timedelta(days=end))) for key, end in zip(keys, ends))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany("INSERT INTO django_session VALUES (%s, %s, %s)", rows)
    return {key for key, end in zip(keys, ends) if end > 0}


def login(chance):
    """A session as Django leaves it after a login and some shopping: about 230 characters once stored."""
    return {
        "_auth_user_id": str(chance.randrange(10**6)),
        "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": "%064x" % chance.getrandbits(256),
        "cart": [chance.randrange(1000) for _ in range(chance.randrange(6))],
    }


def settle(site, journal):
    """Leave the database as that of a site in use: in its journal mode, with statistics, with nothing to catch up."""
    from django.db import connection, connections

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE django_session")
            cursor.execute("CHECKPOINT")
        elif connection.vendor == "mysql":
            cursor.execute("ANALYZE TABLE django_session")
        else:
            cursor.execute(f"PRAGMA journal_mode = {journal}")
            expect(cursor.fetchone() == (journal,), "SQLite takes the journal mode")
    # In WAL mode one connection that stays open spares all others the work of the last to close.
    connections.close_all()


def use(visitors, think, answers, over):
    """One thread: its visitors in turn put something into their cart and look whether all is as it was left."""
    for visitor in itertools.cycle(visitors):
        for request in (lambda: visitor.add_to_cart(len(visitor.cart)), visitor.look):
            if over.is_set():
                return
            began, failure = time.monotonic(), None
            try:
                request()
            except Exception as error:  # whatever it is, a person would have seen it
                failure = error
            answers.append(Answer(began, time.monotonic(), failure))
            time.sleep(think * random.uniform(0.5, 1.5))  # or the threads fall into step


def run_command(site, options):
    """The command, as an operator would start it."""
    from django.conf import settings

    if options.sessctl:
        line = [os.path.abspath(options.sessctl), options.command, "--format", "json"]
        line += [] if site.postgres else ["--db-timezone", "UTC"]
        environment = {"SESSCTL_DATABASE_URL": site.database_url, "SECRET_KEY": settings.SECRET_KEY}
    else:
        line, environment = [sys.executable, Path(__file__).with_name("manage.py"), "clearsessions"], None
    began = time.monotonic()
    run = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
    return Run(began, time.monotonic(), run.returncode, f"{run.stdout.strip()} {run.stderr.strip()[-500:]}")


def beside(site, baseline, think, command):
    """Have the site used from before the command until after it: what the command did, and all answers."""
    answers, over = [], threading.Event()
    shares = [site.visitors[n::THREADS] for n in range(THREADS)]
    threads = [threading.Thread(target=use, args=(share, think, answers, over)) for share in shares]
    for thread in threads:
        thread.start()
    try:
        time.sleep(WARM_UP)
        warm = time.monotonic()
        time.sleep(baseline)
        run = command()
        time.sleep(baseline)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return run, [answer for answer in answers if answer.began > warm]


def meets(answer, run):
    """Whether the request was on its way at any moment of the run."""
    return answer.ended > run.began and answer.began < run.ended


class Figures:
    """What visitors noticed in so many seconds: failures, and how long they waited, in milliseconds."""

    def __init__(self, answers, seconds):
        self.failures = [answer.failure for answer in answers if answer.failure]
        waits = sorted(1000 * (answer.ended - answer.began) for answer in answers)
        expect(waits, "there were requests to measure")
        self.requests, self.rate, self.longest = len(waits), len(waits) / seconds, waits[-1]
        self.p50, self.p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]

    def __str__(self):
        waits = f"p50 {self.p50:.0f} ms, p99 {self.p99:.0f} ms, longest {self.longest:.0f} ms"
        return f"{self.requests} requests, {self.rate:.0f}/s, {len(self.failures)} failed, {waits}"


def count_expired():
    """Rows that Django would purge now."""
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    return Session.objects.filter(expire_date__lt=timezone.now()).count()


def count_unsaid():
    """Logged-in sessions of which the user column says something else than Django does, or nothing."""
    from django.contrib.sessions.models import Session
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT session_key, user_id FROM django_session")
        told = dict(cursor.fetchall())
    users = ((row.session_key, row.get_decoded().get("_auth_user_id")) for row in Session.objects.iterator())
    return sum(1 for key, user in users if user is not None and str(told[key]) != user)


def look(site, filler):
    """Ask by request for every visitor's session, then compare the table with what must be left of it."""
    from django.contrib.sessions.models import Session

    for visitor in site.visitors:
        visitor.look()
    left = set(Session.objects.values_list("session_key", flat=True))
    wanted = filler | {visitor.key for visitor in site.visitors}
    expect(left == wanted, f"{len(wanted - left)} live sessions are lost, {len(left - wanted)} others are left")


def row(options, done, run, quiet, during):
    """One row of a table: what is noticed without → while it runs."""
    cells = [
        "MariaDB"
        if options.mysql_url
        else {None: "PostgreSQL", "wal": "SQLite, WAL", "delete": "SQLite, rollback journal"}[options.journal],
        f"`sessctl {options.command}`" if options.sessctl else "`clearsessions`",
        f"{done} in {run.ended - run.began:.1f} s",
        f"{len(during.failures)} of {during.requests:,}",
        f"{quiet.rate:.0f} → {during.rate:.0f}",
        f"{quiet.p50:.0f} → {during.p50:.0f} ms",
        f"{quiet.p99:.0f} → {during.p99:.0f} ms ({during.p99 / quiet.p99:.1f}x)",
        f"{quiet.longest:.0f} → {during.longest:.0f} ms",
    ]
    return f"| {' | '.join(cells)} |"


def measure(folder, options):
    """One run, from an empty database to the verdict."""
    site = SiteApart(folder, options.postgres_url or options.mysql_url)
    filler = fill(options.expired, options.live)
    for n in range(THREADS * VISITORS_PER_THREAD):
        Visitor(site, USERS[n % len(USERS)])
    before = count_expired()
    settle(site, options.journal)
    run, answers = beside(site, options.baseline, options.think, lambda: run_command(site, options))
    quiet = Figures([answer for answer in answers if not meets(answer, run)], 2 * options.baseline)
    during = Figures([answer for answer in answers if meets(answer, run)], run.ended - run.began)
    backfilled = options.command == "backfill"
    undone = count_unsaid() if backfilled else count_expired()
    done = f"{options.live:,}" if backfilled else f"{before - undone:,} of {before:,}"
    print(f"command:  exit code {run.code}: {run.said}")
    print(f"without:  {quiet}\nmeanwhile: {during}")
    print(row(options, done, run, quiet, during), flush=True)
    for failed in [answer for answer in answers if answer.failure][:5]:
        began, waited = failed.began - run.began, failed.ended - failed.began
        print(f"failure:  {began:.1f} s after the command began, after {waited:.1f} s: {failed.failure!r}"[:300])
    look(site, filler)
    expect(run.code == 0 and undone == 0, f"exit code {run.code}, {undone} rows are not as they should be")
    expect(not quiet.failures + during.failures, "no request fails")
    if run.ended - run.began > LONG_ENOUGH:
        expect(during.rate > quiet.rate / 2, f"the site still does most of its work: {during.rate:.0f} requests/s")
    limit = options.longest_wait
    expect(limit is None or during.longest < 1000 * limit, f"no request waits for {limit} s")


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    command = parser.add_mutually_exclusive_group(required=True)
    command.add_argument("--sessctl", metavar="PATH", help="purge or backfill with this binary")
    command.add_argument("--clearsessions", action="store_true", help="purge with manage.py clearsessions")
    database = parser.add_mutually_exclusive_group(required=True)
    database.add_argument("--postgres-url", metavar="URL", help="an empty database")
    database.add_argument("--mysql-url", metavar="URL", help="an empty database of MariaDB or MySQL")
    database.add_argument("--journal", choices=["wal", "delete"], help="a new SQLite file in this journal mode")
    parser.add_argument("--command", choices=["purge-expired", "backfill"], default="purge-expired")
    parser.add_argument("--expired", type=int, default=300_000, metavar="ROWS")
    parser.add_argument("--live", type=int, default=100_000, metavar="ROWS", help="besides the visitors' own")
    # By default the site is in use, with room left on two cores.
    parser.add_argument("--think", type=float, default=0.03, metavar="SECONDS", help="mean between two requests of a thread")
    parser.add_argument("--baseline", type=float, default=15, metavar="SECONDS", help="before the command and after")
    parser.add_argument("--longest-wait", type=float, metavar="SECONDS", help="fail if a request takes as long")
    options = parser.parse_args()
    if options.command == "backfill":
        options.expired = 0
    return options


def main():
    """One run, and whether all is as it must be."""
    os.environ["SITE_LOCK_TIMEOUT"] = "5"
    with tempfile.TemporaryDirectory(prefix="sessctl-site-") as folder:
        try:
            measure(folder, arguments())
        except Mismatch as failure:
            print(f"FAILED    {failure}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
