"""`manage.py sessctl ...`: the program with database, table, keys and cache of this very project."""

import argparse
import os
import subprocess
import sys

from django.core.management.base import BaseCommand, CommandError

from ..._program import Answer, environment, program


class Command(BaseCommand):
    help = "Log users out everywhere, purge expired sessions and more: `manage.py sessctl help` lists the commands."
    requires_system_checks = []

    def run_from_argv(self, argv):
        """Becomes the program, so that its exit code, its signals and the terminal are its own."""
        arguments = without_own_options(argv[2:])
        path = program()
        if asks_for_help(arguments):
            os.execv(path, [path] + arguments)
        from ... import _project

        with Answer(_project.answer()) as given:
            os.set_inheritable(given.pipe, True)
            sys.stdout.flush()
            sys.stderr.flush()
            os.execve(path, [path] + given.arguments + arguments, environment())

    def add_arguments(self, parser):
        parser.add_argument("arguments", nargs=argparse.REMAINDER)

    def handle(self, *args, **options):
        """For call_command("sessctl", "purge-expired")."""
        from ... import _project

        with Answer(_project.answer()) as given:
            command = [program()] + given.arguments + list(args or options["arguments"])
            code = subprocess.call(command, pass_fds=[given.pipe], env=environment())
        if code:
            raise CommandError("sessctl ended with exit code %d" % code)


def without_own_options(arguments):
    """manage.py has heeded its own options already: --settings and --pythonpath."""
    kept, rest = [], iter(arguments)
    for argument in rest:
        if argument in ("--settings", "--pythonpath"):
            next(rest, None)
        elif not argument.startswith(("--settings=", "--pythonpath=")):
            kept.append(argument)
    return kept


def asks_for_help(arguments):
    return not arguments or arguments[0] == "help" or any(one in ("-h", "--help", "-V", "--version") for one in arguments)
