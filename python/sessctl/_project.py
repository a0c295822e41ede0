"""What the Django project of this process says of itself: the functions with which `sessctl --django` asks a project."""

import functools
import subprocess
import types

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.module_loading import import_string

from ._program import NotLoggedOut, program


@functools.lru_cache(maxsize=None)
def probe():
    """These functions, of the program itself, so that both always fit."""
    code = subprocess.check_output([program(), "django-code", "--probe"], stdin=subprocess.DEVNULL)
    module = types.ModuleType("sessctl._probe")
    exec(compile(code, "<sessctl django-code --probe>", "exec"), module.__dict__)
    return module


def answer():
    """Database, table, keys, cache and users, as sessctl reads them."""
    return probe().project()


def refuse_transaction():
    """sessctl would not see what this transaction has changed, and wait for its locks."""
    database = probe().database_of(session_model())
    if transaction.get_connection(database).in_atomic_block:
        raise NotLoggedOut(
            "sessctl does not see what this transaction has not committed: call logout_user with"
            " django.db.transaction.on_commit()"
        )


def session_model():
    model = probe().model_of(engine(), engine().SessionStore)
    if model is None:
        raise NotLoggedOut("SESSION_ENGINE %r keeps no sessions in a table" % settings.SESSION_ENGINE)
    return model


def engine():
    import importlib

    return importlib.import_module(settings.SESSION_ENGINE)


def id_of(user):
    """The user's id as Django's login() writes it into a session."""
    field = get_user_model()._meta.pk
    return field.value_to_string(user) if hasattr(user, "_meta") else str(user)


def forget(around, keys):
    """Deletes the cache entries with these whole keys, in which the session keys stand between two texts."""
    from django.core.cache import caches

    before, after = around
    store = engine().SessionStore
    entries = [store(key[len(before) : len(key) - len(after)]).cache_key for key in keys]
    caches[getattr(settings, "SESSION_CACHE_ALIAS", "default")].delete_many(entries)
