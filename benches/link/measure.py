"""How long commands take over a slow link, and how often they wait for it."""

import argparse
import os
import statistics
from urllib.parse import urlsplit, urlunsplit

from tables import MySql, Postgres
from timing import sessctl, timed
from wire import Wire

COPY = "COPY (SELECT session_key, session_data, expire_date FROM django_session WHERE expire_date > now()) TO STDOUT (FORMAT binary)"
LIVE = "SELECT session_key, session_data, expire_date FROM django_session WHERE expire_date > UTC_TIMESTAMP(6)"
COMMANDS = {
    "logout-user 42 --no-verify": ("logout-user", "42", "--no-verify"),
    "logout-user 42": ("logout-user", "42"),
    "logout-user 42, nobody is left": ("logout-user", "42"),
    "list --user 42": ("list", "--user", "42"),
    "stats": ("stats",),
    "purge-expired": ("purge-expired",),
    "flush-all": ("flush-all", "--yes"),
}


def far(table, wire):
    """The URL of the table at the other end of the link."""
    parts = urlsplit(table.url)
    place = f"{parts.username}:{parts.password}@127.0.0.1:{wire.port}"
    return urlunsplit(parts._replace(netloc=place))


def bare(table, url):
    """Reads the live rows and does nothing with them."""
    if isinstance(table, Postgres):
        return timed([os.path.join(os.environ["SESSCTL_TEST_POSTGRES_BIN"], "psql"), "-qAtX", url, "-c", COPY])
    port = f"--port={urlsplit(url).port}"
    return timed([*table.client("copy", "--quick", "-N", "-e", LIVE), port, "--protocol=tcp"])


class Far:
    """The table as sessctl gets to see it."""

    def __init__(self, url):
        self.url = url


def measure(table, args):
    """Prints a line for each command: medians of all rounds."""
    parts = urlsplit(table.url)
    wire = Wire((parts.hostname, parts.port), args.rtt / 1000, args.mbit)
    url = far(table, wire)
    lines = {}
    for _ in range(args.rounds):
        table.fresh()
        wire.read()
        bare_seconds = bare(table, url).seconds
        lines.setdefault("bare", []).append((bare_seconds, 1, *wire.read()))
        for name, command in COMMANDS.items():
            seconds = sessctl(Far(url), *command, zone=not isinstance(table, Postgres)).seconds
            lines.setdefault(name, []).append((seconds, seconds / bare_seconds, *wire.read()))
    print("| | takes | to the first | connections | round trips | kB up | kB down |\n|---|---|---|---|---|---|---|")
    for name, rounds in lines.items():
        seconds, ratio, connections, trips, up, down = map(statistics.median, zip(*rounds, strict=True))
        print(f"| {name} | {seconds:.2f} s | {ratio:.2f}x | {connections:.0f} | {trips:.0f} | {up / 1e3:.0f} | {down / 1e3:.0f} |")


def main():
    """Reads the options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--on", choices=["postgres", "mysql"], action="append")
    parser.add_argument("--rtt", type=float, default=20, help="milliseconds")
    parser.add_argument("--mbit", type=float, default=50, help="millions of bits a second")
    args = parser.parse_args()
    for on in args.on or ["postgres", "mysql"]:
        table = {"postgres": Postgres, "mysql": MySql}[on](args.rows)
        print(f"\n{on}, {args.rows:,} rows, {args.rtt:g} ms, {args.mbit:g} Mbit/s\n")
        measure(table, args)
        table.drop()


if __name__ == "__main__":
    main()
