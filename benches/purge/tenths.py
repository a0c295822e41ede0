"""Whether the last batches of a purge cost what the first did."""

import re
import statistics
from contextlib import nullcontext

import psycopg

from tables import Postgres, Sqlite

BATCH = ["--batch-size", "3000"]
DURATION = re.compile(r"duration: ([0-9.]+) ms .*execute[^:]*: DELETE FROM")


def show_tenths(rows, purge):
    """First and last tenth: of the DELETEs in PostgreSQL's log, of ten runs with SQLite."""
    print("\n| | first tenth | last tenth | ratio |\n|---|---|---|---|")
    for expiry in ["used", "tied"]:
        for snapshot in [None, "an old snapshot is held"]:
            table = Postgres(rows, "--expiry", expiry)
            table.fresh()
            with old_snapshot(table) if snapshot else nullcontext():
                costs = delete_durations(table, lambda table=table: purge(table, *BATCH))
            tenth = len(costs) // 10
            compare(f"PostgreSQL, {expiry}{', ' + snapshot if snapshot else ''}", costs[:tenth], costs[-tenth:])
            table.drop()
        for journal in ["wal", "rollback"]:
            table = Sqlite(journal, rows, "--expiry", expiry)
            table.fresh()
            limit = ["--limit", str(round(rows * 0.03))]
            costs = [1000 * purge(table, *limit, *BATCH).seconds for _ in range(10)]
            compare(f"SQLite, {journal}, {expiry}", costs[:1], costs[-1:])
            table.drop()


def old_snapshot(table):
    """A transaction that may still want to see what is deleted."""
    connection = psycopg.connect(table.url)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.execute("SELECT count(*) FROM django_session")
    return connection


def delete_durations(table, purge):
    """In milliseconds, in order."""
    table.log_statements("0")
    end = table.log().stat().st_size
    purge()
    table.log_statements("-1")
    with open(table.log(), errors="replace") as log:
        log.seek(end)
        return [float(match[1]) for match in map(DURATION.search, log) if match]


def compare(what, first, last):
    """One line of the table."""
    first, last = statistics.median(first), statistics.median(last)
    print(f"| {what} | {first:.1f} ms | {last:.1f} ms | {last / first:.2f}x |", flush=True)
