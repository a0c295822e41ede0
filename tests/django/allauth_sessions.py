#!/usr/bin/env python
"""Log users out of a site with django-allauth, which keeps a row for each login (allauth.usersessions).

People log in at allauth's own page, and who is listed is seen on its page of sessions. Runs under the Python of an
environment that has the package. Exit code 0: all checks held.
"""

import argparse
import json
import os
import re
import sys
import tempfile

from check_site import run_checks
from site_under_test import Site, Visitor, expect

PASSWORD = "correct horse"


class AllauthSite(Site):
    """The shop with django-allauth."""

    def _set_up(self):
        os.environ["SITE_APP"] = "django.contrib.humanize allauth allauth.account allauth.usersessions"
        super()._set_up()
        from django.contrib.auth import get_user_model
        from django.contrib.auth.hashers import make_password

        get_user_model().objects.update(password=make_password(PASSWORD))

    def fill(self):
        """Let people in by both doors, and some with a cart only."""
        for n, browsers in {42: 4, 7: 2, 142: 1, 4: 2}.items():
            for _ in range(browsers):
                Member(self, n)
        Visitor(self, 42)  # not by allauth's page: it learns of this login at the next request
        for i in range(3):
            Visitor(self).add_to_cart(i)
        self.look()

    def listed(self):
        """allauth's table: session key -> row."""
        from allauth.usersessions.models import UserSession

        return {row.session_key: row for row in UserSession.objects.all()}

    def look_at_list(self, orphans=()):
        """allauth has one row for each login, and for those that are named."""
        users = {key: str(row.user_id) for key, row in self.listed().items()}
        wanted = {v.key: v.user for v in [*self.live(), *orphans] if v.user}
        expect(users == wanted, f"allauth has {len(users)} rows, which should be {len(wanted)}, or other ones")

    def purge_and_list(self, number):
        """What allauth's page shows of a user; it first deletes what points at nothing."""
        from allauth.usersessions.models import UserSession
        from django.contrib.auth import get_user_model

        user = get_user_model().objects.get(pk=self.user_id(number))
        return {row.session_key for row in UserSession.objects.purge_and_list(user)}


class Member(Visitor):
    """Somebody who logs in at allauth's page."""

    def log_in(self, user, age=None):
        self.user, self.out = self.site.user_id(user), False
        form = {"login": f"user-{user}", "password": PASSWORD}
        self.request("POST", "/accounts/login/", form, status=302)

    def look_at_page(self):
        """The page of sessions shows the browsers of this user that are in, and no others."""
        page = self.request("GET", "/accounts/sessions/")
        shown = sorted(re.findall(r"browser-\d+", page))
        wanted = sorted(v.browser for v in self.site.live() if v.user == self.user)
        expect(shown == wanted, f"the page shows {shown}, which should be {wanted}")


def end(visitors):
    """These are to be found logged out from now on."""
    for visitor in visitors:
        visitor.out = True


def cleaned(report, rows):
    """The report says that so many rows went."""
    expect(report["allauth_deleted"] == rows, f"{rows} rows of allauth's went: {report}")


def allauth_lists_who_is_in(site, sessctl):
    """What there is to clean up: a row for each login, shown to its user."""
    site.look_at_list()
    member(site, 42).look_at_page()


def without_the_option_rows_stay(site, sessctl):
    """logout-user alone leaves rows that point at nothing, until allauth looks at them."""
    leavers = site.of(4)
    end(leavers)
    report = sessctl.logout(site.spell(4), matched=2)
    cleaned(report, None)
    site.look_at_list(orphans=leavers)
    expect(not site.purge_and_list(4), "allauth's list is empty")
    site.look_at_list()


def a_dry_run_deletes_nothing(site, sessctl):
    """--dry-run, and what it does not count."""
    report = sessctl.logout(site.spell(42), "--cleanup-allauth", matched=5, dry_run=True)
    cleaned(report, None)
    site.look_at_list()
    site.look()


def rows_go_with_the_sessions(site, sessctl):
    """All but one browser of 42: what she sees there is herself alone, and others' rows are what they were."""
    mine = member(site, 42)
    others = {key: row for key, row in site.listed().items() if row.user_id != 42}
    leavers = [v for v in site.of(42) if v is not mine]
    end(leavers)
    report = sessctl.logout(site.spell(42), "--except", mine.key[:12], "--cleanup-allauth", matched=4)
    cleaned(report, 4)
    site.look_at_list()
    found = site.listed()
    fields = [field.attname for field in next(iter(found.values()))._meta.fields]
    for key, row in others.items():
        expect(all(getattr(found[key], name) == getattr(row, name) for name in fields), "somebody else's row changed")
    mine.look_at_page()
    site.look_at_list()
    expect(site.purge_and_list(42) == {mine.key}, "allauth's list is of this browser")
    site.look()


def the_last_one_goes_too(site, sessctl):
    """Then her last session; when she comes again, it is her only one."""
    end(site.of(42))
    cleaned(sessctl.logout(site.spell(42), "--cleanup-allauth", matched=1), 1)
    site.look_at_list()
    expect(not site.purge_and_list(42), "allauth's list is empty")
    site.look()
    Member(site, 42).look_at_page()
    site.look_at_list()


def flush_all_takes_them_too(site, sessctl):
    """Everybody but 7, whose page shows what it did; then everybody."""
    flush = ("flush-all", "--yes", "--cleanup-allauth", "--format", "json")
    stay = site.of(7)
    leavers = [v for v in site.live() if v.user and v not in stay]
    end(leavers)
    report = json.loads(sessctl.run(*flush, "--authenticated-only", "--except-user", site.spell(7)).out)
    cleaned(report, len(leavers))
    site.look_at_list()
    member(site, 7).look_at_page()
    site.look()
    end(site.live())
    cleaned(json.loads(sessctl.run(*flush).out), len(stay))
    expect(not site.listed(), "allauth has no rows")
    site.look()


def member(site, number):
    """One of this user's browsers that came by allauth's page."""
    return next(v for v in site.of(number) if isinstance(v, Member))


CHECKS = [
    allauth_lists_who_is_in,
    without_the_option_rows_stay,
    a_dry_run_deletes_nothing,
    rows_go_with_the_sessions,
    the_last_one_goes_too,
    flush_all_takes_them_too,
]


def main():
    """Make the site, run the checks in order, stop at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", required=True, metavar="PATH", help="the binary under test")
    parser.add_argument("--postgres-url", metavar="URL", help="an empty database; otherwise SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sessctl-site-") as folder:
        site = AllauthSite(folder, options.postgres_url)
        site.fill()
        return run_checks(CHECKS, options.sessctl, site)


if __name__ == "__main__":
    sys.exit(main())
