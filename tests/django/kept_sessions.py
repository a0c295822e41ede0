#!/usr/bin/env python
"""Users log in and fill their carts; each session is stored, printed as one line, and must come back without its login.

For each line printed, one is read: the same session written anew, which takes the place of the old one in the table.
Django must then load everything but the login from it. Exit code 0: it did, every time.
"""

import json
import os
import sys
import warnings
from unittest import mock

import django
from django.conf import settings

warnings.simplefilter("ignore")  # Django 3.2 says that it will not read the old layout forever.
settings.configure(
    SECRET_KEY=os.environ["SITE_SECRET_KEY"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SESSION_SERIALIZER="django.contrib.sessions.serializers.JSONSerializer",
)
django.setup()

from django.contrib.auth import get_user, login  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core import signing  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.test import override_settings  # noqa: E402

LOGIN = {"_auth_user_id", "_auth_user_backend", "_auth_user_hash"}
CARTS = [
    {"cart": [1, 2, 3], "gift": None, "new": True},
    {"text": "é ÿ ☃ 😀 \u2028 \ud83d \ude00\ud83d", "é😀": {"ключ": ["ÿ"]}},
    {"text": "\x00\x1f\x7f\x80\x9f\n\t\"\\/ \\u00e9 </script>"},
    {"outer": {"_auth_user_id": "7", "_auth_user_hash": ["_auth_user_id"]}, "ids": [{"_auth_user_id": 7}]},
    {"_auth_user_ids": "_auth_user_id", "text": '","_auth_user_id":"7"'},
    {"floats": [0.1, -0.0, 1e-300, 1e300, 1.0, float("nan"), float("-inf")], "ints": [0, -1, 2**63, -(10**100)]},
    {"long": "cart " * 1000, "list": list(range(500))},
    {"deep": json.loads("[" * 200 + "]" * 200)},
]
ACCENTS = {"Füße": "é ÿ", "cart": [1]}


def raw(encoding):
    """A serializer of the site's own, which does not escape."""

    class Serializer:
        def dumps(self, obj):
            return json.dumps(obj, ensure_ascii=False, indent=1).encode(encoding)

        def loads(self, data):
            return json.loads(data.decode(encoding))

    return Serializer


def check(cart, serializer=None, encode=None, **written_under):
    """One session, from login to cart to the anonymous visitor that is left."""
    request = HttpRequest()
    request.session = session = SessionStore()
    if serializer:
        session.serializer = serializer
    with override_settings(**written_under), mock.patch.object(session, "encode", encode or session.encode):
        session.update({"before": "login"})
        login(request, User.objects.get())
        session.update(cart)
        session.save()
    row = Session.objects.filter(pk=session.session_key)
    wanted = {key: value for key, value in session.items() if key not in LOGIN}
    assert LOGIN < set(session.keys()) and wanted.items() >= cart.items()

    print(row.get().session_data, flush=True)
    answer = sys.stdin.readline()[:-1]
    assert answer, "there was no answer"
    row.update(session_data=answer)

    readers = [{}, written_under] if "DEFAULT_HASHING_ALGORITHM" in written_under else [{}]
    for reader in readers:
        with override_settings(**reader):
            request.session = SessionStore(session.session_key)
            # As text, in which NaN is equal to itself and the order counts.
            assert json.dumps(request.session.load()) == json.dumps(wanted), (reader, wanted, answer)
            assert get_user(request).is_anonymous


def sha1_signed(session):
    """What Django 3.1.0 did when told to use SHA-1; later ones only read it."""
    return signing.dumps(session, salt=SessionStore().key_salt, serializer=SessionStore().serializer, compress=True)


call_command("migrate", verbosity=0)
User.objects.create(username="é")
for cart in CARTS:
    check(cart)
    check(cart, SECRET_KEY=os.environ["SITE_OLD_SECRET_KEY"])
    if django.VERSION < (4, 0):
        check(cart, DEFAULT_HASHING_ALGORITHM="sha1")
        check(cart, encode=sha1_signed, DEFAULT_HASHING_ALGORITHM="sha1")
check({**ACCENTS, "more": "☃ 😀"}, serializer=raw("utf-8"))
check(ACCENTS, serializer=raw("latin-1"))
