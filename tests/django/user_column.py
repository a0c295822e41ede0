#!/usr/bin/env python
"""A site in use gets the app that `sessctl django-code` prints, works on with it, and gets rid of it again.

Each step is a process of its own under the settings of that moment, as a deployment would have it, with the database
and the visitors' cookies as the only memory. Exit code 0: all checks held.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
import traceback
import uuid
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

# Imported once, not by each step's process: of Django all that can be without settings.
import django.core.management
import django.db.migrations
import django.forms
import django.test

from site_under_test import HOUR, Mismatch, expect

STOCK = "django.contrib.sessions.backends.db"
SECRET_KEY = "a key of the test site only"
USERS = (7, 42)


class Deployment:
    """The site, whose settings change; what is done under which of them is a function below."""

    def __init__(self, folder, arguments):
        self.database = arguments.postgres_url or f"sqlite:///{folder / 'shop.sqlite3'}"
        self.users, self.column, self.type = arguments.users, arguments.column, arguments.type
        self.app = arguments.app
        self.make_app(arguments.sessctl, folder)

    def make_app(self, sessctl, folder):
        """Have sessctl write the app into a folder that Python looks into."""
        path = folder / "site" / self.app.replace(".", "/")
        path.parent.mkdir(parents=True)
        sys.path.insert(0, str(folder / "site"))
        names = ["--column", self.column, "--type", self.type, "--app", self.app]
        subprocess.run([sessctl, "django-code", *names, "--output", str(path)], check=True)

    def stock(self, step, *arguments):
        """One step under the settings from before, and after."""
        return self.step(STOCK, "", step, arguments)

    def installed(self, step, *arguments, engine="db"):
        """One step under the settings that the app's README asks for."""
        return self.step(f"{self.app}.{engine}", self.app, step, arguments)

    def step(self, engine, app, step, arguments):
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as process:
            return process.submit(take, step, self, engine, app, arguments).result()

    @property
    def label(self):
        return self.app.rpartition(".")[2]

    def user_id(self, number):
        return number if self.users == "int" else uuid.uuid5(uuid.NAMESPACE_URL, f"shop/{number}")

    def stored(self, number):
        """What the column must hold for this user, as the database's driver has it."""
        user_id = self.user_id(number)
        if self.type == "uuid" and self.database.startswith("sqlite"):
            return user_id.hex  # as Django's UUIDField stores it
        return str(user_id) if self.type == "text" else user_id


def take(step, site, engine, app, arguments):
    """Take one step in this process. What fails in it need not be fit to travel, so only its text does.

    The arguments hold session keys, so they are not part of it.
    """
    os.environ.update(
        DJANGO_SETTINGS_MODULE="shop.settings",
        SITE_DATABASE_URL=site.database,
        SITE_SECRET_KEY=SECRET_KEY,
        SITE_USERS=site.users,
        SITE_ENGINE=engine,
        SITE_APP=app,
    )
    import django

    try:
        django.setup()
        return step(site, *arguments)
    except (Exception, SystemExit):
        raise Mismatch(f"{step.__name__} with {engine}:\n{traceback.format_exc()}") from None


# --- what is done ---------------------------------------------------------------------------------------------------


def migrate(site, *arguments):
    """Migrate; the site must then be in order, with nothing left to migrate."""
    from django.core.management import call_command

    call_command("migrate", *arguments, run_syncdb=not arguments, verbosity=0)
    if "zero" not in arguments:
        call_command("migrate", "--check", verbosity=0)
    call_command("check", fail_level="INFO")
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def let_users_in(site):
    """The users of an empty site."""
    from django.contrib.auth import get_user_model

    user = get_user_model()
    user.objects.bulk_create(user(pk=site.user_id(n), username=f"user-{n}", password=f"!{n}") for n in USERS)


def execute(site, *statements):
    """SQL of somebody else's."""
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def get(path, key=None):
    """One request with this session, and the session that it ends with; None if the site ended it."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    if key:
        client.cookies[settings.SESSION_COOKIE_NAME] = key
    response = client.get(path)
    expect(response.status_code == 200, f"GET {path}: HTTP {response.status_code}\n{response.content[:2000]}")
    cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
    return response.json(), (cookie.value if cookie else None) or None


def log_in(site, number, age=None):
    """The session of a new login."""
    return get(f"/login/{site.user_id(number)}" + ("" if age is None else f"?age={age}"))[1]


def visit(site):
    """Both users and somebody else come: who has which session."""
    return {log_in(site, 42): 42, log_in(site, 7): 7, get("/cart/add/1")[1]: None}


def look(site, visitors):
    """By request: everybody is still who they were."""
    for key, number in visitors.items():
        seen, _ = get("/whoami", key)
        wanted = {"user": None, "cart": [1]} if number is None else {"user": str(site.user_id(number)), "cart": []}
        expect(seen == wanted, f"the site answers {seen}, which should be {wanted}")


def column(site):
    """The column as it is in the table."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f'SELECT session_key, "{site.column}" FROM django_session')
        return dict(cursor.fetchall())


def look_at_stamps(site, visitors, stamped=True):
    """In the table: everybody's session says so."""
    found = column(site)
    for key, number in visitors.items():
        wanted = site.stored(number) if stamped and number else None
        expect(found[key] == wanted, f"the column says {found[key]!r}, which should be {wanted!r}")


def look_at_table(site, present=True):
    """The column is what Django would have made of its field, with one index."""
    from django.db import connection

    with connection.cursor() as cursor:
        fields = connection.introspection.get_table_description(cursor, "django_session")
        constraints = connection.introspection.get_constraints(cursor, "django_session").values()
    fields = [field for field in fields if field.name == site.column]
    indexes = [found for found in constraints if site.column in found["columns"]]
    expect((len(fields), len(indexes)) == (present, present), f"{fields} {indexes}")
    if present:
        from django.apps import apps

        field = apps.get_model(site.label, "UserSession")._meta.get_field("user_id")
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("SELECT lower(type) FROM pragma_table_info('django_session') WHERE name = %s", [site.column])
            else:
                cursor.execute(
                    "SELECT data_type FROM information_schema.columns"
                    " WHERE table_name = 'django_session' AND column_name = %s",
                    [site.column],
                )
            declared = cursor.fetchall()
        expect(declared == [(field.db_type(connection),)] and fields[0].null_ok, f"{declared} {fields}")


def work_on(site, old):
    """With the app: logins are stamped, whoever is nobody is not, and nothing else has changed."""
    from django.apps import apps
    from django.contrib.sessions.models import Session

    sessions = apps.get_model(site.label, "UserSession").objects
    new = visit(site)
    look(site, new)
    look_at_stamps(site, new)
    of_42 = sessions.filter(user_id=site.stored(42) if site.type == "text" else site.user_id(42))
    mine = {key for key, number in new.items() if number == 42}
    expect(mine <= set(of_42.values_list("pk", flat=True)), "the app's model does not find the sessions of a user")
    expect(sessions.count() == Session.objects.count(), "Django's own model sees another table")
    an_old_session_is_stamped_when_saved(site, old)
    logging_out_leaves_no_stamp(site)
    what_is_no_user_of_this_site_is_no_user(site)
    expired_sessions_are_cleared(site)
    return new


def an_old_session_is_stamped_when_saved(site, old):
    for key, number in old.items():
        get("/note/hello", key)
        look_at_stamps(site, {key: number})


def logging_out_leaves_no_stamp(site):
    key = log_in(site, 7)
    _, after = get("/logout", key)
    expect(after is None and key not in column(site), "the session outlives its logout")
    # A site that takes the login out of a session by hand.
    store = store_of(log_in(site, 7))
    del store["_auth_user_id"]
    store.save()
    look_at_stamps(site, {store.session_key: None})


def what_is_no_user_of_this_site_is_no_user(site):
    """Whatever calls itself a user, the session is saved, and read as it was written."""
    for text in ["", "x", "042", "1e3", "9" * 30, "nan", float("inf"), True, ["42"], {"a": 1}]:
        store = store_of(None)
        store["_auth_user_id"] = text
        store.save()
        found = column(site)[store.session_key]
        wanted = str(text) if site.type == "text" else None
        expect(found == wanted, f"{text!r} is stored as {found!r}, which should be {wanted!r}")
        expect(store_of(store.session_key)["_auth_user_id"] == text, f"{text!r} is not what was written")
        store.delete()


def expired_sessions_are_cleared(site):
    from django.core.management import call_command

    expired, before = log_in(site, 7, age=-HOUR), set(column(site))
    call_command("clearsessions")
    expect(set(column(site)) == before - {expired}, "clearsessions deletes others than the expired session")


def work_asynchronously(site):
    """Django 5.1 and later: login(), the cart and logout() without a thread."""
    from django.contrib.auth import alogin, alogout, get_user_model
    from django.http import HttpRequest

    async def session():
        request = HttpRequest()
        request.session = store_of(None)
        await request.session.aset("cart", [1])
        await request.session.asave()
        anonymous = request.session.session_key
        user = await get_user_model().objects.aget(pk=site.user_id(42))
        await alogin(request, user, backend="django.contrib.auth.backends.ModelBackend")
        await request.session.asave()
        return request, anonymous

    async def both():
        kept = store_of(None)
        await kept.aset("cart", [1])
        await kept.asave()
        request, anonymous = await session()
        gone, _ = await session()
        left = gone.session.session_key
        await alogout(gone)
        return kept.session_key, request.session.session_key, anonymous, left

    kept, mine, anonymous, left = asyncio.run(both())
    look_at_stamps(site, {mine: 42, kept: None})
    expect(not {anonymous, left} & set(column(site)), "a session outlives its login or its logout")
    seen, _ = get("/whoami", mine)
    expect(seen == {"user": str(site.user_id(42)), "cart": [1]}, f"the site answers {seen}")


def store_of(key):
    """The engine's own class, as the middleware makes it."""
    from importlib import import_module

    from django.conf import settings

    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def refuse(site, declared):
    """A column of another type must not be written to, since the database would refuse each login."""
    from django.core.management import call_command

    try:
        call_command("migrate", site.label, verbosity=0)
    except RuntimeError as error:
        expect(f"django_session.{site.column} is of type {declared}," in str(error), f"it says: {error}")
    else:
        raise Mismatch(f"the app is installed on a column of type {declared}")


def give_way(site):
    """On PostgreSQL each request would queue behind a migration that waits for its lock, so it does not wait long."""
    from django.core.management import call_command
    from django.db import OperationalError, connection

    reader = connection.copy()
    reader.set_autocommit(False)
    reader.cursor().execute("SELECT 1 FROM django_session")
    begin = time.monotonic()
    try:
        call_command("migrate", site.label, verbosity=0)
    except OperationalError as error:
        expect("lock timeout" in str(error), f"it says: {error}")
        expect(time.monotonic() - begin < 20, "it waits for long")
    else:
        raise Mismatch("the column is added while somebody reads")
    finally:
        reader.close()
    look_at_table(site, False)


# --- the stories ----------------------------------------------------------------------------------------------------


def on_a_site_in_use(site, altered):
    """Django's own sessions; perhaps the column, added from outside; the app; and back."""
    site.stock(migrate)
    site.stock(let_users_in)
    old = site.stock(visit)
    if not altered and site.database.startswith("postgres"):
        site.installed(give_way)
    if altered:
        other = "bigint" if site.type == "text" else "text"
        site.stock(execute, f'ALTER TABLE django_session ADD COLUMN "{site.column}" {other}')
        site.installed(refuse, other)
        site.stock(execute, f'ALTER TABLE django_session DROP COLUMN "{site.column}"')
        declared = "char(32)" if (site.type, site.database[:6]) == ("uuid", "sqlite") else site.type
        site.stock(
            execute,
            f'ALTER TABLE django_session ADD COLUMN "{site.column}" {declared}',
            f'CREATE INDEX made_before ON django_session ("{site.column}")',
        )
        old.update(site.stock(visit))
    site.installed(migrate, *(["--fake-initial"] if altered else []))
    site.installed(look_at_table)
    site.installed(look, old)
    site.installed(look_at_stamps, old, False)
    new = {**old, **site.installed(work_on, old)}
    new.update(site.installed(work_on, {}, engine="cached_db"))
    if site.installed(django_version) >= (5, 1):
        site.installed(work_asynchronously)
        site.installed(work_asynchronously, engine="cached_db")

    site.stock(look, new)
    later = site.stock(visit)
    site.stock(look_at_stamps, later, False)
    new.update(later)
    site.installed(look, new)
    site.installed(migrate, site.label, "zero")
    site.stock(look_at_table, False)
    site.stock(migrate)
    new.update(site.stock(visit))
    site.stock(look, new)
    site.installed(migrate, site.label)
    site.installed(look, new)
    site.installed(work_on, new)
    site.installed(migrate, site.label, "zero", "--fake")
    site.installed(migrate, site.label)
    site.installed(look_at_table)


def on_an_empty_database(site):
    """As a test runner and a new developer begin."""
    site.installed(migrate)
    site.installed(look_at_table)
    site.installed(let_users_in)
    site.installed(work_on, {})


def django_version(_):
    import django

    return django.VERSION


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", required=True, type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--postgres-url", help="otherwise SQLite")
    parser.add_argument("--users", choices=["int", "uuid"], default="int")
    parser.add_argument("--type", choices=["text", "bigint", "uuid"], default="text")
    parser.add_argument("--column", default="user_id")
    parser.add_argument("--app", default="session_user")
    parser.add_argument("--begin", choices=["empty", "stock", "altered"], required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sessctl-app.") as folder:
        site = Deployment(Path(folder), arguments)
        if arguments.begin == "empty":
            on_an_empty_database(site)
        else:
            on_a_site_in_use(site, altered=arguments.begin == "altered")


if __name__ == "__main__":
    main()
