"""How long commands take, and in how much memory."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from tables import PROGRAMS, SECRET_KEY, Postgres

# Wall clock and processor time, the latter of the command alone and not of a server.
Run = namedtuple("Run", "seconds memory report cpu")


def sessctl(table, command, *options, pin=(), zone=None):
    """Run a command, and say how long it took, in how much memory (kB), and what it reported. `zone`: whether it must be told
    the time zone of what is stored."""
    command = [*pin, PROGRAMS / "sessctl", command, "--format", "json", "--quiet", *options]
    environment = {"SESSCTL_DATABASE_URL": table.url, "SESSCTL_SECRET_KEY": SECRET_KEY, "PATH": os.environ["PATH"]}
    if not isinstance(table, Postgres) if zone is None else zone:
        command += ["--db-timezone", "UTC"]
    began, cpu = time.perf_counter(), cpu_of_children()
    # A report may name 100,000 users, which is more than a pipe holds while nobody reads.
    with tempfile.TemporaryFile() as output, subprocess.Popen(command, env=environment, stdout=output) as process:
        with ThreadPoolExecutor(1) as other:
            # Not often, so as not to take the time that is measured: beside two cores there is no third for whoever looks.
            memory = other.submit(peak_memory, process.pid)
            process.wait()
            seconds = time.perf_counter() - began
        output.seek(0)
        report = json.load(output)
    assert process.returncode == 0, report
    return Run(seconds, memory.result(), report, cpu_of_children() - cpu)


def cpu_of_children():
    """In seconds, of those that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_memory(pid):
    """In kB, until the process ends, or a little before."""
    peak, pause = 0, 0.001
    while True:
        try:
            with open(f"/proc/{pid}/status") as status:
                now = next((int(line.split()[1]) for line in status if line.startswith("VmHWM")), None)
        except (FileNotFoundError, ProcessLookupError):
            now = None
        if now is None:
            return peak
        peak = now
        time.sleep(pause)
        # What ends soon is looked at sooner.
        pause = min(2 * pause, 0.02)


def manage(table, *command):
    """The same of real Django."""
    environment = {"SITE_DATABASE_URL": table.url, "SITE_SECRET_KEY": SECRET_KEY}
    return timed([sys.executable, "-B", "tests/django/manage.py", *command], environment)


def clearsessions(table):
    """What Django has for expired sessions."""
    return manage(table, "clearsessions")


def timed(command, environment=None):
    """How long a command takes. What it writes goes nowhere."""
    return timed_call(lambda: subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL))


def timed_call(work):
    """How long a function takes."""
    began, cpu = time.perf_counter(), cpu_of_children()
    work()
    return Run(time.perf_counter() - began, None, None, cpu_of_children() - cpu)
