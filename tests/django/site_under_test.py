"""The running shop, its visitors, and what each of them must find when asked by request."""

import http.client
import json
import os
import threading
import time
import uuid
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import quote, urlencode

# Ids that a careless comparison confuses with 42 are among them.
USERS = [*range(1, 21), 42, 142]
HOUR = 3600


class Mismatch(Exception):
    """What was seen is not what must be; the message is for a person."""


def expect(truth, message):
    """Fail with the message unless `truth` holds."""
    if not truth:
        raise Mismatch(message)


class Visitor:
    """A browser that keeps its session cookie whatever happens, and what its owner expects of the site."""

    def __init__(self, site, user=None, age=None):
        self.site, self.key = site, None
        self.user, self.cart = None, []
        self.out = False  # the row has been deleted
        self.expired = age is not None and age < 0
        site.visitors.append(self)
        self.browser = f"browser-{len(site.visitors)}"
        if user is not None:
            self.log_in(user, age)

    def get(self, path):
        """One request: the answer as a dict."""
        return json.loads(self.request("GET", path))

    def request(self, method, path, form=None, status=200):
        """One request: the answer as it is. Another status is the site's failure."""
        connection = self.site.connection()
        headers = {"User-Agent": self.browser}
        if self.key:
            headers["Cookie"] = f"sessionid={self.key}"
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urlencode(form) if form else None, headers)
        response = connection.getresponse()
        body = response.read().decode()
        expect(response.status == status, f"{method} {path}: HTTP {response.status}\n{body[:2000]}")
        for header in response.headers.get_all("Set-Cookie", []):
            cookie = SimpleCookie(header).get("sessionid")
            if cookie is not None and cookie.value:
                self.key = cookie.value
        return body

    def log_in(self, user, age=None):
        """Log in as user number `user`, for `age` seconds if given."""
        self.user, self.out = self.site.user_id(user), False
        self.get(f"/login/{self.user}" + ("" if age is None else f"?age={age}"))

    def add_to_cart(self, item):
        """Put one item into the cart."""
        self.get(f"/cart/add/{item}")
        self.cart.append(item)
        return self

    def note(self, text):
        """Have the site leave a message in the session."""
        self.get(f"/note/{quote(text)}")
        return self

    def impersonate(self, user):
        """Have another user's id somewhere inside the session, where it means nothing."""
        self.get(f"/impersonate/{self.site.user_id(user)}")
        return self

    def look(self):
        """Ask the site who this visitor is, and fail where that is not what must be."""
        seen = self.get("/whoami")
        gone = self.out or self.expired
        wanted = {"user": None, "cart": []} if gone else {"user": self.user, "cart": self.cart}
        who = f"the session of {'user ' + self.user if self.user else 'an anonymous visitor'} ({str(self.key)[:8]})"
        expect(seen == wanted, f"{who}: the site answers {seen}, which should be {wanted}")


class SlowRequest(threading.Thread):
    """A request that has read its session, and writes it when told to."""

    def __init__(self, visitor, item):
        from shop import views

        super().__init__()
        self.visitor, self.item, self.may_write = visitor, item, views.MAY_WRITE
        self.answer = self.failure = None
        self.start()
        expect(views.READ.acquire(timeout=60), "the slow request reads its session")

    def run(self):
        try:
            self.answer = self.visitor.get(f"/cart/add/{self.item}/slowly")
        except Mismatch as failure:
            self.failure = failure

    @staticmethod
    def let_write(requests):
        """Have the next of these requests write; all of them must be alike, since any one may be it."""
        requests[0].may_write.release()
        deadline = time.monotonic() + 60
        while not (ended := [request for request in requests if not request.is_alive()]):
            expect(time.monotonic() < deadline, "the slow request ends")
            time.sleep(0.01)
        requests.remove(ended[0])
        return ended[0]


class Site:
    """The shop on a database of its own, served over HTTP by Django's own WSGI server until this process ends."""

    def __init__(self, folder, server_url=None, serializer="json", users="int", time_zone=None):
        self.folder = Path(folder)
        self.postgres = (server_url or "").startswith("postgres")
        self.database_url = server_url or f"sqlite:///{self.folder / 'shop.sqlite3'}"
        self.secret_key = "a key of the test site only: é, ö and $pecial ones"
        self.serializer, self.users, self.time_zone = serializer, users, time_zone
        self.visitors = []
        self._spellings = 0
        self._set_up()
        self._serve()

    def _set_up(self):
        """Configure Django, migrate, and write the users."""
        os.environ.update(
            DJANGO_SETTINGS_MODULE="shop.settings",
            SITE_DATABASE_URL=self.database_url,
            SITE_SECRET_KEY=self.secret_key,
            SITE_SERIALIZER=self.serializer,
            SITE_USERS=self.users,
        )
        os.environ.pop("SITE_TIME_ZONE", None)
        if self.time_zone:
            os.environ["SITE_TIME_ZONE"] = self.time_zone
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)

        from django.contrib.auth import get_user_model

        user = get_user_model()
        user.objects.bulk_create(user(pk=self.user_id(n), username=f"user-{n}", password=f"!{n}") for n in USERS)

    def _serve(self):
        """Answer requests in threads of this process."""
        threading.Thread(target=self._server().serve_forever, daemon=True).start()

    def _server(self):
        """A server on a free port of this machine, as runserver would make it."""
        from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
        from django.core.wsgi import get_wsgi_application

        class Quiet(WSGIRequestHandler):
            disable_nagle_algorithm = True  # or every answer waits 40 ms for the reader's acknowledgement

            def log_message(self, *_):
                pass

        server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
        server.daemon_threads = True
        server.set_app(get_wsgi_application())
        self.port = server.server_port
        self._connections = threading.local()
        return server

    def connection(self):
        """An HTTP connection that this thread's visitors share, so that the site can keep its database connection."""
        if not hasattr(self._connections, "http"):
            self._connections.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        return self._connections.http

    def user_id(self, number):
        """The primary key of user `number` as Django writes it into a session."""
        return str(number) if self.users == "int" else str(uuid.uuid5(uuid.NAMESPACE_URL, f"shop/{number}"))

    def spell(self, number):
        """The same id as an operator may type it: UUIDs by turns as Django does, bare, and in capitals."""
        self._spellings += 1
        text = self.user_id(number)
        ways = [text, text.replace("-", ""), text.upper(), text.replace("-", "").upper()]
        return text if self.users == "int" else ways[self._spellings % len(ways)]

    def fill(self):
        """Let everybody in: each user from several browsers, anonymous carts, some sessions that are over already."""
        for n in USERS:
            for i in range(1 + n % 3):
                visitor = Visitor(self, n)
                if i:
                    visitor.add_to_cart(n).add_to_cart(1000 + i)
        for i in range(5):
            Visitor(self, 42).add_to_cart(i)
        Visitor(self, 42, age=HOUR)
        Visitor(self, 42, age=-HOUR)
        Visitor(self, 7, age=-HOUR)
        for _ in range(3):
            Visitor(self, 142).note('{"_auth_user_id":"42"}')
            Visitor(self, 4)
        for i in range(10):
            Visitor(self).add_to_cart(42).add_to_cart(i)
        Visitor(self).note('"_auth_user_id":"42"')
        Visitor(self).impersonate(42)
        Visitor(self, 142).impersonate(42)
        # A cart from before the login stays, and the login gets a new key.
        early = Visitor(self).add_to_cart(5)
        early.log_in(42)

    def of(self, *numbers):
        """The live sessions of these users."""
        ids = {self.user_id(n) for n in numbers}
        return [v for v in self.live() if v.user in ids]

    def live(self):
        """All sessions that the site would still accept."""
        return [v for v in self.visitors if not (v.out or v.expired)]

    def look(self):
        """Ask by request for every session, then compare the table's keys: no row more, no row less."""
        for visitor in self.visitors:
            visitor.look()
        wanted = {v.key for v in self.visitors if not v.out}
        rows = set(self.rows())
        expect(rows == wanted, f"the table lacks {wanted - rows} and has {rows - wanted} too many")

    def rows(self):
        """The table as Django's own model reads it: key -> Session."""
        from django.contrib.sessions.models import Session

        return {row.session_key: row for row in Session.objects.all()}
