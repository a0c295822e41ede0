"""Runs pieces of Python, each in a process of its own that begins with Django imported. A fork costs a tenth of
that import.

    python -B python_server.py SOCKET

Each connection to this Unix socket sends one line of JSON: {"code", "folder", "environment", "seconds"}. It gets back
{"status", "stdout", "stderr"} once that process has ended. The server ends, and the socket goes, when its standard
input ends.
"""

import gc
import json
import os
import select
import signal
import socket
import sys

# No module that reads the settings: each project has its own.
import django.contrib.auth.hashers
import django.contrib.sessions.backends.base
import django.core.management.commands.migrate
import django.db.backends.postgresql.base
import django.db.backends.sqlite3.base
import django.db.models
import django.views.debug
import pymysql
from django.conf import settings

assert not settings.configured


def run(asked, stdout, stderr):
    """What `python -B -c CODE` does in this folder, to the end of Python, which closes connections."""
    signal.alarm(asked["seconds"])
    for file, standard in (stdout, 1), (stderr, 2):
        os.dup2(file, standard)
    os.chdir(asked["folder"])
    os.environ.update(asked["environment"])
    sys.path[0], sys.argv = "", ["-c"]
    exec(compile(asked["code"], "<string>", "exec"), {"__name__": "__main__"})
    sys.exit()


def content(file):
    """All that was written to a file."""
    with open(file, "rb") as whole:
        whole.seek(0)
        return whole.read().decode()


def answer(connection):
    """Has another process run what is asked for, and says how it ended."""
    with connection.makefile("rw", encoding="utf-8") as stream:
        asked = json.loads(stream.readline())
        stdout, stderr = os.memfd_create("stdout"), os.memfd_create("stderr")
        process = os.fork()
        if process == 0:
            run(asked, stdout, stderr)
        _, status = os.waitpid(process, 0)
        said = {"status": os.waitstatus_to_exitcode(status), "stdout": content(stdout), "stderr": content(stderr)}
        stream.write(json.dumps(said))


def main():
    path = sys.argv[1]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    # Or a collection in each process copies all that was imported.
    gc.freeze()
    # The processes that answer are waited for by nobody.
    waited_for = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [])
        if sys.stdin in ready:
            break
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, waited_for)
            listener.close()
            answer(connection)
            os._exit(0)
        connection.close()
    os.unlink(path)
    os.rmdir(os.path.dirname(path))


if __name__ == "__main__":
    main()
