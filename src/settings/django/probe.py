"""Asks a Django project what sessctl needs to know. Runs in the project's own Python, from memory, started with -S, and
for root with -I: only the standard library, which sessctl has looked at, is there before the watch begins.

argv: manage.py or "", the project's folder, the settings module or "", ids of users who may change its code. The answer
is JSON on what was standard output when Python began, behind a NUL byte; by then standard output is standard error, so that
the project may print.
"""

import sys

# With `-c`, that is the folder we are in: a json.py of the project is not ours to import.
if __name__ == "__main__" and sys.path[:1] == [""]:
    del sys.path[0]

import importlib
import json
import os
import re
import runpy
import stat
import traceback
from types import SimpleNamespace
from urllib.parse import unquote
from uuid import UUID

# What `site` runs or adds folders from, too; and what reads code from files of any name.
CODE, LOADERS = (".py", ".pyc", ".pth", ".start"), ("importlib._bootstrap_external", "zipimport", "runpy")
SAMPLES = "sample0of0a0session0key0aaaaaaaa", "sample0of0a0session0key0bbbbbbbb"


class Code:
    """Whose code runs: sees each file of it before it does. As root, code that others can change does not."""

    def __init__(self, trusted):
        self.trusted = {0, os.geteuid(), *map(int, trusted.split())}
        self.refuses = os.geteuid() == 0
        self.known = {}
        self.searched = set()
        self.changeable = None

    def watch(self):
        for module in list(sys.modules.values()):
            # It has run, but sessctl can refuse to go on.
            path = getattr(module, "__file__", None)
            self.changeable = self.changeable or (path and self.look(path))
        # Before Python 3.8 nobody is told.
        if hasattr(sys, "addaudithook"):
            sys.addaudithook(self.hear)
        elif self.refuses:
            self.changeable = sys.executable + " (older than Python 3.8: it does not tell which files it runs)"

    def hear(self, event, args):
        path = None
        if event == "open":
            reader = sys._getframe().f_back
            loads = reader and reader.f_globals.get("__name__") in LOADERS
            path = args[0] if loads or str(args[0]).endswith(CODE) else None
        elif event == "exec":
            path = getattr(args[0], "co_filename", None)
        elif event == "ctypes.dlopen":
            # A name without a folder is one of the system's libraries (dlopen(3)).
            path = args[0] if args[0] and os.sep in os.fsdecode(args[0]) else None
        elif event == "import":
            path = args[1]
            # Python reads modules out of an archive of any name, and what is in it says itself where it comes from.
            for entry in args[2] or ():
                if entry not in self.searched and not os.path.isdir(entry):
                    self.refuse(entry)
                self.searched.add(entry)
        self.refuse(path)

    def refuse(self, path):
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str) or not path or path.startswith("<"):
            return
        found = self.look(os.path.realpath(path)) or self.look(path)
        if found:
            self.changeable = self.changeable or found
            if self.refuses:
                raise PermissionError("others can change " + found)

    def look(self, path):
        """The first of a file, the folders above it and the links on the way that others can change."""
        path = os.path.abspath(path)
        if path not in self.known:
            # Also ends a circle of links.
            self.known[path] = None
            self.known[path] = self.look_at(path)
        return self.known[path]

    def look_at(self, path):
        folder = os.path.dirname(path)
        above = self.look(folder) if folder != path else None
        if above:
            return above
        try:
            status = os.lstat(path)
        except OSError:
            return None
        if status.st_uid not in self.trusted:
            return path
        if stat.S_ISLNK(status.st_mode):
            return self.look(os.path.join(folder, os.readlink(path)))
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        return path if status.st_mode & 0o022 and not sticky else None


def begin(code):
    """What Python does else before it runs anything. With -I that leaves out what the environment says."""
    import site

    if sys.flags.isolated:
        search_path = os.environ.get("PYTHONPATH")
        sys.path[:0] = search_path.split(os.pathsep) if search_path else []
        # Where the home is another user's, what that installed there is not for root.
        is_off = os.environ.get("PYTHONNOUSERSITE") or code.look(site.getusersitepackages())
        site.ENABLE_USER_SITE = not is_off
    site.main()


def set_up(manage, folder, module):
    """Django as `manage.py` sets it up; whether there are any settings."""
    sys.path.insert(0, folder)
    if module:
        os.environ["DJANGO_SETTINGS_MODULE"] = module
    import django
    from django.core.management import ManagementUtility

    if manage:
        # It names the settings module, reads a .env file, or what else it does; the command is left out.
        ManagementUtility.execute = lambda self: None
        sys.argv = [manage, "shell"]
        try:
            runpy.run_path(manage, run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                raise
        if module:
            os.environ["DJANGO_SETTINGS_MODULE"] = module
    from django.conf import settings

    if not settings.configured and not os.environ.get("DJANGO_SETTINGS_MODULE"):
        return False
    django.setup()
    return True


def project():
    import django
    from django.conf import settings
    from django.utils.encoding import force_bytes

    module = importlib.import_module(settings.SESSION_ENGINE)
    store = module.SessionStore
    secrets = [settings.SECRET_KEY, *getattr(settings, "SECRET_KEY_FALLBACKS", [])]
    keeps = where(store)
    model = model_of(module, store) if keeps == "table" else None
    return {
        "django": django.get_version(),
        "engine": settings.SESSION_ENGINE,
        "keeps": keeps if model or keeps != "table" else "elsewhere",
        "own": own(store),
        "login": login(store) if model else None,
        "serializer": str(settings.SESSION_SERIALIZER),
        "cookie_age": settings.SESSION_COOKIE_AGE,
        "local_time_zone": settings.TIME_ZONE,
        # django-loginas: where a project keeps who is behind an impersonation.
        "also_key": str(getattr(settings, "LOGINAS_FROM_USER_SESSION_FLAG", "") or "") or None,
        # Bytes as characters of the same number: a key need not be UTF-8.
        "secrets": [force_bytes(secret).decode("latin-1") for secret in secrets],
        # A property; before Django 3.1 the class has none, but its name goes into the salt.
        "key_salt": getattr(store.__new__(store), "key_salt", "django.contrib.sessions." + store.__name__),
        "sessions": sessions(model) if model else None,
        "cache": cache(store) if model and hasattr(store, "cache_key") else None,
        "users": users(model) if model else None,
    }


def where(store):
    for name in ("cache", "file", "signed_cookies"):
        if issubclass(store, importlib.import_module("django.contrib.sessions.backends." + name).SessionStore):
            return name
    return "table"


def own(store):
    """Which of these the engine does in its own way. Those of these packages do as Django's."""
    known = "django", "qsessions", "user_sessions"
    return [name for name in METHODS if definer(store, name).__module__.split(".")[0] not in known]


# get_model_class is left out: it belongs to the class and knows no session, so that it says one model for all.
METHODS = "load", "_get_session", "_get_session_from_db", "model", "encode", "decode"
METHODS += "aload", "_aget_session", "_aget_session_from_db"


def login(store):
    """The login of user 4207, as the engine and its serializer write it; nothing if they cannot."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    session = {SESSION_KEY: "4207", BACKEND_SESSION_KEY: "sessctl", HASH_SESSION_KEY: "0" * 64}
    try:
        written = store(SAMPLES[0]).encode(session)
    except Exception:
        return None
    return written if isinstance(written, str) else None


def definer(store, name):
    """The class that has this method; Django's, if that release has none."""
    from django.contrib.sessions.backends.base import SessionBase

    return next((parent for parent in store.__mro__ if name in vars(parent)), SessionBase)


def model_of(module, store):
    if hasattr(store, "get_model_class"):
        return store.get_model_class()
    model = getattr(module, "Session", None)
    return model if hasattr(model, "_meta") else None


def database_of(model):
    from django.db import router

    return router.db_for_write(model)


def sessions(model):
    from django.db import connections

    connection = connections[database_of(model)]
    columns = [model._meta.get_field(name).column for name in ("session_key", "session_data", "expire_date")]
    parameters, environment = ASK.get(connection.vendor, lambda _: ({}, {}))(connection)
    return {
        "table": model._meta.db_table,
        "columns": columns,
        "fields": [field.column for field in model._meta.concrete_fields],
        "vendor": connection.vendor,
        "parameters": parameters,
        "variables": environment,
        "time_zone": connection.timezone_name,
        "ahead": ahead(connection),
        "others": other_tables(model),
        "read_from": read_from(model),
    }


def read_from(model):
    """Another database that a router has sessions read from: a replica. A router may choose at random."""
    from django.db import connections, router

    def place(alias):
        return [str(connections[alias].settings_dict.get(name) or "") for name in ("ENGINE", "HOST", "PORT", "NAME")]

    aliases = sorted({router.db_for_read(model) for _ in range(20)})
    return next((alias for alias in aliases if place(alias) != place(database_of(model))), None)


def ahead(connection):
    """Seconds that the clock of naive times is ahead of UTC now; with USE_TZ off that of the C library, which Django sets."""
    import time
    from datetime import datetime

    if connection.timezone is None:
        return time.localtime().tm_gmtoff
    return round(datetime.now(connection.timezone).utcoffset().total_seconds())


def other_tables(model):
    """The project's other session tables in this database: a second middleware may keep logins of its own there."""
    from django.apps import apps

    needed = {"session_key", "session_data", "expire_date"}
    models = [one for one in apps.get_models() if needed <= {field.column for field in one._meta.concrete_fields}]
    tables = {one._meta.db_table for one in models if database_of(one) == database_of(model)}
    return sorted(tables - {model._meta.db_table})


# By vendor: what takes the connection to a database, and says how to reach it and which variables say it, too.
ASK = {}


def variables(prefix):
    """The environment, as far as a database's own clients read it: a .env file may have brought some of it."""
    return {name: utf8(name, value) for name, value in os.environ.items() if name.startswith(prefix)}


def utf8(name, value):
    try:
        value.encode()
    except UnicodeError:
        raise ValueError("the environment variable %s is not UTF-8" % name) from None
    return value


# Here stands what each store asks.


def cache(store):
    """What stands before and after a session's key in the key of its cache entry, unless that is a hash of it."""
    from django.conf import settings
    from django.core.cache import caches

    alias = getattr(settings, "SESSION_CACHE_ALIAS", "default")
    keys = [store(sample).cache_key for sample in SAMPLES]
    around = text_around(keys)
    both = text_around([str(caches[alias].make_key(key)) for key in keys])
    return {"alias": alias, "around": both, "engine_hides": around is None, "reach": reach(caches[alias])}


# By the class of a cache: what says which servers it has, and nothing if it uses them in a way of its own.
REACH = {}


def kind_of(thing, whole=True):
    return (type(thing).__module__ + "." if whole else "") + type(thing).__qualname__


def reach(cache):
    """How to reach the servers of a cache, in the order in which it names them, if it is of a kind that is known. It need not
    work for the rest to be told."""
    try:
        return REACH.get(kind_of(cache), lambda _: None)(cache)
    except Exception:
        return None


# Here stands what each kind of cache asks.


def text_around(keys):
    """What stands before and after the samples in these, if nothing else is made of them."""
    before, found, after = str(keys[0]).partition(SAMPLES[0])
    same = found and SAMPLES[0] not in after and before + SAMPLES[1] + after == str(keys[1])
    return [before, after] if same else None


# Here stands users.py.


def failure(error):
    """The end of its traceback. Source lines are left out, since settings may have a password in them."""
    frames = [
        'File "%s", line %s, in %s' % (frame.filename, frame.lineno, frame.name)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename != runpy.__file__
    ]
    message = "%s: %s" % (type(error).__name__, without_secrets(error))
    lines = [line for line in message.splitlines() if line.strip()][:3]
    return frames[len(lines) - 5 :] + lines


# Here stands masking.py.


def answer(manage, folder, module, trusted):
    code = Code(trusted)
    code.watch()
    told = ask(code, manage, folder, module)
    if code.refuses and code.changeable:
        return {"changeable": code.changeable}
    if "project" in told:
        told["project"]["changeable"] = code.changeable
    return told


def ask(code, manage, folder, module):
    if code.refuses and code.changeable:
        return {}
    try:
        begin(code)
        if code.refuses and code.changeable:
            return {}
        try:
            import django  # noqa: F401
        except ImportError:
            return {"no_django": sys.version.split()[0]}
        return {"project": project()} if set_up(manage, folder, module) else {"no_settings": None}
    except BaseException as error:
        return {"failed": failure(error)}


def main():
    pipe = os.dup(1)
    os.dup2(2, 1)
    os.write(pipe, b"\0")
    rest = json.dumps(answer(*sys.argv[1:])).encode()
    while rest:
        rest = rest[os.write(pipe, rest) :]
    # Nothing that the project has begun, a thread or what it does at exit, is waited for.
    os._exit(0)


# A process of the site imports it, and calls project().
if __name__ == "__main__":
    main()
