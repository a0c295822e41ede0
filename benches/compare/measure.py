"""What benches/compare/run runs under the Python of Django 5.2."""

import argparse
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile

import django
import psycopg

import page
from tables import PROGRAMS, MySql, Postgres, Sqlite
from timing import clearsessions, manage, sessctl, timed, timed_call

COPY = (
    "COPY (SELECT session_key, session_data, expire_date FROM django_session WHERE expire_date > now())"
    " TO STDOUT (FORMAT binary)"
)
LIVE = "SELECT session_key, session_data, expire_date FROM django_session WHERE expire_date > UTC_TIMESTAMP(6)"
SCAN = "SELECT sum(length(session_data)) FROM django_session NOT INDEXED"
# How pt-archiver names the parts of a place.
PLACE = {"h": "host", "P": "port", "u": "user", "p": "password", "D": "database"}
# What is found on the web for "Django log out user everywhere".
LOOP = """
from django.contrib.sessions.models import Session
from django.utils import timezone
for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
    if session.get_decoded().get("_auth_user_id") == "42":
        session.delete()
"""
# The same where somebody knows which sessions they are.
QUERYSET = """
from django.contrib.sessions.models import Session
Session.objects.filter(session_key__in="{keys}".split()).delete()
"""


def bare(table):
    """Reads the rows and does nothing with them."""
    if isinstance(table, Postgres):
        psql = os.path.join(os.environ["SESSCTL_TEST_POSTGRES_BIN"], "psql")
        return timed([psql, "-qAtX", table.url, "-c", COPY])
    if isinstance(table, MySql):
        return timed(table.client("copy", "--quick", "-N", "-e", LIVE))
    return timed(["sqlite3", table.file, SCAN])


def queryset(table):
    """Deletes sessions whose keys are known."""
    listed = sessctl(table, "list", "--user", "42", "--show-keys").report
    keys = " ".join(session["session_key"] for session in listed)
    return manage(table, "shell", "-c", QUERYSET.format(keys=keys))


def pt_archiver(table):
    """The same batches and rests: of 1,000 rows, by the index of the expiry, and none."""
    place = ",".join(f"{letter}={table.at('copy')[name]}" for letter, name in PLACE.items())
    where = "expire_date < '2030-01-01'"
    index = "i=django_session_expire_date_a5c62663"
    options = ["--purge", "--limit=1000", "--commit-each", "--bulk-delete", "--no-check-charset", "--sleep=0"]
    return timed(["pt-archiver", f"--source={place},t=django_session,{index}", f"--where={where}", *options])


def logout(table, *options, **more):
    """The command that it is about."""
    return sessctl(table, "logout-user", "42", *options, **more)


# What is compared with what: the first of each group is what the others are measured by, and how many rows each leaves out.
LOOK = {
    "bare": bare,
    "logout-user 42 --no-verify": lambda table: logout(table, "--no-verify"),
    "logout-user 42": logout,
    "ORM loop": lambda table: manage(table, "shell", "-c", LOOP),
    "ORM queryset": queryset,
}
EXPIRED = {
    "single DELETE": lambda table: timed_call(table.single_delete),
    "purge-expired": lambda table: sessctl(table, "purge-expired"),
    "clearsessions": clearsessions,
    "pt-archiver": lambda table: pt_archiver(table),
}
TITLES = {
    "bare": {"postgres": "`psql`: `COPY` of the live rows to /dev/null", "wal": "`sqlite3`: `sum(length(session_data))`", "mysql": "`mariadb --quick -N`: the live rows to /dev/null"},
    "ORM loop": "ORM: loop over the live sessions, `get_decoded()`",
    "ORM queryset": "ORM: `delete()` of these ten, their keys known",
    "single DELETE": "one `DELETE` of what has expired",
    "clearsessions": "`manage.py clearsessions`",
    "pt-archiver": "Percona's `pt-archiver --purge`",
}
DATABASES = {"postgres": "PostgreSQL", "wal": "SQLite", "mysql": "MariaDB"}


def make(on, rows, *options):
    """A table of its own."""
    if on == "mysql":
        return MySql(rows, *options)
    return Postgres(rows, *options) if on == "postgres" else Sqlite(on, rows, *options)


def in_turn(methods, rounds):
    """Every method once a round, each round beginning with another: the runs of each, one a round."""
    runs = {name: [] for name in methods}
    for number in range(rounds):
        names = list(methods)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            run = methods[name]()
            runs[name].append(run)
            print(f"    {name}: {run.seconds:.3f} s", file=sys.stderr)
    return runs


def fresh(table, method, left):
    """A run on a copy that was read once, and a look whether it left as many rows as the others did."""

    def run():
        table.fresh()
        bare(table)
        done = method(table)
        left.append(table.count())
        assert len(set(left)) == 1, left
        return done

    return run


def spread(figures, form):
    """Median, lowest and highest."""
    figures = sorted(figures)
    low, high = form.format(figures[0]), form.format(figures[-1])
    return form.format(statistics.median(figures)), f"{low} to {high}"


def rows_of(on, runs):
    """The lines of a table."""
    base, lines = next(iter(runs)), []
    for name, of_name in runs.items():
        title = TITLES.get(name, f"`{name}`")
        title = title if isinstance(title, str) else title[on]
        median, seconds = spread([run.seconds for run in of_name], "{:.2f} s")
        # Runs of one round stand beside each other, whatever else the machine did then.
        ratios = [run.seconds / other.seconds for run, other in zip(of_name, runs[base])]
        ratio, ratios = spread(ratios, "{:.2f}x")
        memory = [run.memory for run in of_name if run.memory]
        memory = f"{max(memory) / 1000:.0f} MB" if memory else ""
        cpu = statistics.median(run.cpu for run in of_name)
        cpu = f"{cpu:.2f} s" if cpu else ""
        lines.append(f"| {title} | {median} | {seconds} | {ratio} | {ratios} | {cpu} | {memory} | {len(of_name)} |")
    return lines


def part_compare(arguments):
    """Logging a user out, in all the ways there are."""
    text, bars = [], {}
    for on in arguments.on:
        table, rows = make(on, arguments.rows), arguments.rows
        runs = {}
        for group in (LOOK, EXPIRED):
            # What all ways leave must be the same, and less than there was; what only reads leaves all.
            left, all_of_them = [], [rows]
            methods = {
                name: fresh(table, method, all_of_them if name == "bare" else left)
                for name, method in group.items()
                if name != "pt-archiver" or on == "mysql"
            }
            found = in_turn(methods, arguments.rounds)
            assert left[0] < rows
            what = "to the bare reading" if group is LOOK else "to one DELETE"
            text += [
                f"| {DATABASES[on]}, {rows:,} rows | median | all runs | {what} | in each round | processor | memory | runs |",
                "|---|---|---|---|---|---|---|---|",
                *rows_of(on, found),
                "",
            ]
            runs |= found
        loop, ours = (
            [run.seconds for run in runs[name]] for name in ("ORM loop", "logout-user 42 --no-verify")
        )
        faster, each = spread([slow / fast for slow, fast in zip(loop, ours)], "{:.0f}x")
        text += [f"`logout-user 42 --no-verify` is {faster} as fast as the ORM loop ({each}).", ""]
        bars[DATABASES[on]] = {
            name: statistics.median(run.seconds for run in of_name) for name, of_name in runs.items() if name in LOOK
        }
        table.drop()
    return text, {"compare.svg": page.bars(bars, f"Logging one user out, {arguments.rows:,} sessions")}


def part_scale(arguments):
    """From small tables to big ones: whether a row costs the same."""
    text = [
        "| | rows | `logout-user 42 --no-verify --dry-run` | a row | bare reading | a row | ratio in each round | memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines = {}
    for on in arguments.on:
        for rows in arguments.scale:
            table = make(on, rows)
            table.fresh()
            bare(table)
            runs = in_turn(
                {"bare": lambda: bare(table), "ours": lambda: logout(table, "--no-verify", "--dry-run")},
                arguments.rounds,
            )
            bare_median, ours_median = (
                statistics.median(run.seconds for run in runs[name]) for name in ("bare", "ours")
            )
            ratio, ratios = spread([a.seconds / b.seconds for a, b in zip(runs["ours"], runs["bare"])], "{:.2f}x")
            memory = max(run.memory for run in runs["ours"]) / 1000
            text.append(
                f"| {DATABASES[on]} | {rows:,} | {ours_median:.3f} s | {1e6 * ours_median / rows:.2f} us "
                f"| {bare_median:.3f} s | {1e6 * bare_median / rows:.2f} us | {ratio} ({ratios}) | {memory:.1f} MB |"
            )
            for name, median in (("sessctl", ours_median), ("bare reading", bare_median)):
                lines.setdefault(f"{DATABASES[on]}, {name}", []).append((rows, 1e6 * median / rows))
            table.drop()
    return [*text, ""], {"scale.svg": page.lines(lines, "Microseconds a row, by rows in the table")}


def part_more(arguments):
    """Cores, many ids, large sessions."""
    text = []
    for on in arguments.on:
        name = DATABASES[on]
        table = make(on, arguments.rows)
        table.fresh()
        bare(table)
        with tempfile.NamedTemporaryFile("w", suffix=".ids") as strangers, tempfile.NamedTemporaryFile("w") as known:
            # Nobody has these ids, but for 42; the others have about half of the sessions.
            strangers.write("".join(f"{id}\n" for id in [42, *range(10_000_001, 10_100_000)]))
            known.write("".join(f"{id}\n" for id in range(1, 100_001)))
            strangers.flush()
            known.flush()
            look = ("--no-verify", "--dry-run")
            runs = in_turn(
                {
                    "one id": lambda: logout(table, *look),
                    "100,000 ids, ten sessions": lambda: logout(table, *look, "--from-file", strangers.name),
                    "100,000 ids, half of the sessions": lambda: logout(table, *look, "--from-file", known.name),
                    "one id, on one core": lambda: logout(table, *look, pin=("taskset", "-c", "0")),
                },
                arguments.rounds,
            )
        text += [
            f"| {name}, {arguments.rows:,} rows, one look | median | all runs | to one id | in each round | processor | memory | runs |",
            "|---|---|---|---|---|---|---|---|",
            *rows_of(on, runs),
            "",
        ]
        table.drop()
        table = make(on, arguments.large, "--cart", "200000")
        table.fresh()
        bare(table)
        runs = in_turn(
            {"bare": lambda: bare(table), "logout-user 42 --no-verify --dry-run": lambda: logout(table, *look)},
            arguments.rounds,
        )
        text += [
            f"| {name}, {arguments.large:,} sessions of 200 kB JSON | median | all runs | to the bare reading | in each round | processor | memory | runs |",
            "|---|---|---|---|---|---|---|---|",
            *rows_of(on, runs),
            "",
        ]
        table.drop()
    return text, {}


def part_start(arguments):
    """The smallest things there are to do."""
    table = Postgres(arguments.rows)
    table.fresh()
    sessctl(table, "backfill")
    rounds = max(arguments.rounds, 20)
    runs = in_turn(
        {
            "sessctl --version": lambda: timed([PROGRAMS / "sessctl", "--version"]),
            "logout-user 43 --trust-column --dry-run": lambda: sessctl(
                table, "logout-user", "43", "--trust-column", "--dry-run"
            ),
            "logout-user 43 --trust-column": lambda: sessctl(table, "logout-user", "43", "--trust-column"),
        },
        rounds,
    )
    text = ["| | median | all runs | runs |", "|---|---|---|---|"]
    for name, of_name in runs.items():
        median, seconds = spread([1000 * run.seconds for run in of_name], "{:.1f} ms")
        text.append(f"| `{name}` | {median} | {seconds} | {len(of_name)} |")
    table.drop()
    return [*text, ""], {}


PARTS = {"compare": part_compare, "scale": part_scale, "more": part_more, "start": part_start}


def machine():
    """What it was measured on."""
    with open("/proc/cpuinfo") as cpuinfo:
        models = {line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")}
    with psycopg.connect(os.environ["SESSCTL_TEST_POSTGRES"]) as connection:
        server = connection.execute("SHOW server_version").fetchone()[0].split()[0]
    mysql = subprocess.run(["mariadbd", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[2]
    shell = subprocess.run(["sqlite3", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[0]
    ours = subprocess.run([PROGRAMS / "sessctl", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return (
        f"{ours}, PostgreSQL {server}, MariaDB {mysql}, sqlite3 {shell}, Django {django.__version__} on Python {platform.python_version()} "
        f"(SQLite {sqlite3.sqlite_version}); {os.cpu_count()} cores, {', '.join(models)}, Linux {platform.release()}; "
        f"load when it began {os.getloadavg()[0]:.1f}."
    )


def main():
    """Everything that was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    scale = [10_000, 100_000, 500_000, 1_000_000, 5_000_000]
    parser.add_argument("--scale", type=int, nargs="+", default=scale, metavar="ROWS")
    parser.add_argument("--large", type=int, default=10_000, metavar="ROWS", help="sessions of 200 kB")
    parser.add_argument("--on", action="append", choices=DATABASES)
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--write", action="store_true", help="put tables into RESULTS.md and charts into docs/")
    arguments = parser.parse_args()
    arguments.on = arguments.on or list(DATABASES)
    for name in arguments.part or PARTS:
        about = machine()
        text, charts = PARTS[name](arguments)
        text = [about, "", *(f"![the same as a chart](../../docs/{file})\n" for file in charts), *text]
        print("\n".join(text), flush=True)
        if arguments.write:
            page.write(name, text, charts)


if __name__ == "__main__":
    main()
