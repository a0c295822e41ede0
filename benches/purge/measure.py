"""What benches/purge/run runs under the Python of Django 5.2."""

import argparse
import os
import statistics
import sys

from tables import Postgres, Sqlite
from tenths import show_tenths
from timing import clearsessions, sessctl, timed_call

def purge(table, *options):
    """What sessctl takes for it."""
    return sessctl(table, "purge-expired", *options)


METHODS = {
    "single DELETE": lambda table: timed_call(table.single_delete),
    "clearsessions": clearsessions,
    "purge-expired": purge,
    "--batch-size 5000": lambda table: purge(table, "--batch-size", "5000"),
    "--batch-size 20000": lambda table: purge(table, "--batch-size", "20000"),
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
        show_tenths(arguments.rows, purge)
        return
    for expiry in arguments.expiry or ["used", "shuffled"]:
        for on in arguments.on or ["postgres", "wal", "rollback"]:
            print(f"\n{on}, {expiry} ({os.getloadavg()})\n", flush=True)
            rows, options = arguments.rows, ["--expiry", expiry]
            table = Postgres(rows, *options) if on == "postgres" else Sqlite(on, rows, *options)
            methods = arguments.method or list(METHODS)
            show(compare(table, rows - round(rows * 0.3), arguments.rounds, methods))
            table.drop()


if __name__ == "__main__":
    main()
