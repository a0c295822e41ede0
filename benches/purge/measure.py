"""What benches/purge/run runs under the Python of Django 5.2."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import namedtuple

from tables import PROGRAMS, SECRET_KEY, Postgres, Sqlite
from tenths import show_tenths

Run = namedtuple("Run", "seconds memory report")


def sessctl(table, *options):
    """Purge, and say how long it took, in how much memory (kB), and what it reported."""
    command = [PROGRAMS / "sessctl", "purge-expired", "--format", "json", "--quiet", *options]
    environment = {"SESSCTL_DATABASE_URL": table.url}
    if isinstance(table, Sqlite):
        command += ["--db-timezone", "UTC"]
    began, memory = time.perf_counter(), 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            memory = peak_memory(process.pid) or memory
            time.sleep(0.002)
        seconds = time.perf_counter() - began
        report = json.load(process.stdout)
    assert process.returncode == 0, report
    return Run(seconds, memory, report)


def peak_memory(pid):
    """In kB; None of a process that has ended."""
    with open(f"/proc/{pid}/status") as status:
        return next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), None)


def clearsessions(table):
    """The same by real Django."""
    command = [sys.executable, "-B", "tests/django/manage.py", "clearsessions"]
    environment = {"SITE_DATABASE_URL": table.url, "SITE_SECRET_KEY": SECRET_KEY}
    return timed(lambda: subprocess.run(command, env=environment, check=True))


def timed(work):
    """How long it takes."""
    began = time.perf_counter()
    work()
    return Run(time.perf_counter() - began, None, None)


METHODS = {
    "single DELETE": lambda table: timed(table.single_delete),
    "clearsessions": clearsessions,
    "purge-expired": sessctl,
    "--batch-size 5000": lambda table: sessctl(table, "--batch-size", "5000"),
    "--batch-size 20000": lambda table: sessctl(table, "--batch-size", "20000"),
}


def compare(table, live, rounds, methods):
    """Every method in turn, again and again: the runs of each."""
    runs = {method: [] for method in methods}
    for number in range(rounds):
        for method in methods[number % len(methods) :] + methods[: number % len(methods)]:
            table.fresh()
            run = METHODS[method](table)
            assert table.count() == live, f"{method}: {table.count()} rows are left, not {live}"
            runs[method].append(run)
            print(f"    {method}: {run.seconds:.2f} s {run.report or ''}", file=sys.stderr)
    return runs


def show(runs):
    """A table of medians."""
    print("| | median | all rounds | to the single DELETE | batches | memory |")
    print("|---|---|---|---|---|---|")
    base = statistics.median(run.seconds for run in runs["single DELETE"])
    for method, of_method in runs.items():
        seconds = sorted(run.seconds for run in of_method)
        median, reports = statistics.median(seconds), [run.report for run in of_method if run.report]
        batches = f"{statistics.median(report['batches'] for report in reports):.0f}" if reports else "1"
        memory = f"{max(run.memory for run in of_method) / 1000:.0f} MB" if reports else ""
        print(
            f"| {method} | {median:.2f} s | {seconds[0]:.2f} to {seconds[-1]:.2f} s "
            f"| {median / base:.2f}x | {batches} | {memory} |"
        )


def main():
    """Everything that was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--on", action="append", choices=["postgres", "wal", "rollback"])
    parser.add_argument("--expiry", action="append", choices=["used", "shuffled", "tied"])
    parser.add_argument("--method", action="append", choices=METHODS)
    parser.add_argument("--tenths", action="store_true", help="the first batches against the last")
    arguments = parser.parse_args()
    if arguments.tenths:
        show_tenths(arguments.rows, sessctl)
        return
    for expiry in arguments.expiry or ["used", "shuffled"]:
        for on in arguments.on or ["postgres", "wal", "rollback"]:
            print(f"\n{on}, {expiry} ({os.getloadavg()})\n", flush=True)
            rows = arguments.rows
            table = Postgres(rows, expiry) if on == "postgres" else Sqlite(on, rows, expiry)
            methods = arguments.method or list(METHODS)
            show(compare(table, rows - round(rows * 0.3), arguments.rounds, methods))
            table.drop()


if __name__ == "__main__":
    main()
