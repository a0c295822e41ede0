"""Says what the real SessionStore.decode() of this Django makes of session_data, a JSON string a line, object a line:

    signed  whether a key made the signature
    loaded  whether the serializer took the payload
    login   the user id as text, null for somebody anonymous, false for what is no id
"""

import json
import os
import pathlib
import re
import sys
import warnings

import django
from django.conf import settings

sys.path.append(str(pathlib.Path(__file__).parents[2] / "fixtures/generate"))
from reading import read  # noqa: E402

warnings.simplefilter("ignore")  # Django 3.2 says that it will not read the old layout forever.
KEY, OLD_KEY = os.environ["SITE_SECRET_KEY"], os.environ["SITE_OLD_SECRET_KEY"]
settings.configure(
    SECRET_KEY=KEY,
    SECRET_KEY_FALLBACKS=[OLD_KEY],
    SESSION_SERIALIZER="django.contrib.sessions.serializers.JSONSerializer",
    INSTALLED_APPS=["django.contrib.sessions"],
)
django.setup()

from django.contrib.sessions.backends import base  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core import signing  # noqa: E402

# Releases before 4.1 know one key: then the site may have either.
ONE_OF = [KEY] if django.VERSION >= (4, 1) else [KEY, OLD_KEY]
signed = False


def listening(compare):
    def listener(*values):
        global signed
        same = compare(*values)
        signed |= same
        return same

    return listener


for module in [signing, base]:
    if hasattr(module, "constant_time_compare"):
        module.constant_time_compare = listening(module.constant_time_compare)


def login(session):
    value = session.get("_auth_user_id") if isinstance(session, dict) else None
    if value is None:
        return None
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, int) or isinstance(value, float) and value.is_integer():
        return str(int(value))
    return False


def verdict(text):
    global signed
    signed = False
    for settings.SECRET_KEY in ONE_OF:
        reading = read(SessionStore(), text)
        if reading.valid:
            break
    session = reading.session
    if reading.valid and not reading.payload.isascii():
        # Latin-1 to Django's own serializer, which writes neither. sessctl says in docs/output.md what it takes it for.
        try:
            session = json.loads(reading.payload.decode())
        except UnicodeDecodeError:
            pass
    return {"signed": signed, "loaded": reading.valid, "login": login(session) if reading.valid else None}


for line in sys.stdin:
    print(json.dumps(verdict(json.loads(line))))
