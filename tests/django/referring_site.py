#!/usr/bin/env python
"""Log users out of a site whose own tables refer to sessions: one with a foreign key, one without.

Who is logged in is asked by request, and what the tables hold is read by Django's models. Exit code 0: all checks held.
"""

import argparse
import json
import os
import sys
import tempfile

from check_site import busy, run_checks
from site_under_test import Site, Visitor, expect

BOTH = ("--delete-references", "devices_device.session_id", "--delete-references", '"Visit.Log"."Session Key"')


class DeviceSite(Site):
    """The shop, which remembers the devices and visits of its users."""

    def _set_up(self):
        os.environ["SITE_APP"] = "devices"
        super()._set_up()

    def fill(self):
        """Several people with several browsers, carts, and sessions that are over."""
        for n, browsers in {42: 4, 7: 2, 142: 1, 4: 2}.items():
            for _ in range(browsers):
                Visitor(self, n).add_to_cart(n)
        for i in range(3):
            Visitor(self).add_to_cart(i)
        self.look()

    def look(self):
        """Beyond sessions: each login has its device, and nothing refers to a session that is gone."""
        super().look()
        from devices.models import Device, Visit

        wanted = {v.key: v.browser for v in self.live() if v.user}
        devices = {device.session_id: device.name for device in Device.objects.all()}
        expect(devices == wanted, f"{len(devices)} devices, which should be {len(wanted)}, or other ones")
        visits = set(Visit.objects.values_list("session_key", flat=True))
        expect(visits == set(wanted), f"visits of {visits - set(wanted)} too many, of {set(wanted) - visits} too few")


def gone(report, devices):
    """The report says that so many devices went, and at least as many visits."""
    device, visit = report["references_deleted"]
    expect((device["table"], device["rows"]) == ("devices_device", devices), f"{devices} devices went: {report}")
    expect(visit["table"] == "Visit.Log" and visit["rows"] >= devices, f"their visits went: {report}")


def without_the_option_nobody_goes(site, sessctl):
    """The foreign key keeps the sessions, and sessctl says so and what to do."""
    said = sessctl.run("logout-user", site.spell(4), code=3)
    expect("--delete-references devices_device.session_id" in said.err, "the way out is named")
    site.look()


def a_dry_run_deletes_nothing(site, sessctl):
    """--dry-run counts what would go."""
    gone(sessctl.logout(site.spell(42), *BOTH, matched=4, dry_run=True), 4)
    site.look()


def one_table_is_not_enough(site, sessctl):
    """Where only the visits are named, the devices keep the sessions, and nothing goes, no visit either."""
    sessctl.run("logout-user", site.spell(42), *BOTH[2:], code=3)
    site.look()


def all_but_her_own_browser(site, sessctl):
    """Sessions go with their rows, but for one, and others' stay, while 7 goes on shopping."""
    mine = site.of(42)[0]
    for visitor in site.of(42)[1:]:
        visitor.out = True
    with busy(site.of(7)[0]):
        gone(sessctl.logout(site.spell(42), "--except", mine.key[:12], *BOTH, matched=3), 3)
    site.look()


def who_logs_in_again_is_in(site, sessctl):
    """The last one goes, too; then she comes again."""
    site.of(42)[0].out = True
    gone(sessctl.logout(site.spell(42), *BOTH, matched=1), 1)
    site.look()
    Visitor(site, 42)
    site.look()


def purge_and_flush(site, sessctl):
    """Sessions that are over take their rows along, at last everybody does."""
    from datetime import timedelta

    from django.contrib.sessions.models import Session
    from django.utils import timezone

    over = site.of(4)
    for visitor in over:
        visitor.out = True
    past = timezone.now() - timedelta(days=3)
    Session.objects.filter(pk__in=[visitor.key for visitor in over]).update(expire_date=past)
    purge = ("purge-expired", *BOTH, "--format", "json")
    gone(json.loads(sessctl.run(*purge, "--dry-run").out), len(over))
    gone(json.loads(sessctl.run(*purge).out), len(over))
    site.look()
    rest = len([visitor for visitor in site.live() if visitor.user])
    for visitor in site.live():
        visitor.out = True
    gone(json.loads(sessctl.run("flush-all", "--yes", *BOTH, "--format", "json").out), rest)
    site.look()


CHECKS = [
    without_the_option_nobody_goes,
    a_dry_run_deletes_nothing,
    one_table_is_not_enough,
    all_but_her_own_browser,
    who_logs_in_again_is_in,
    purge_and_flush,
]


def main():
    """Make the site, run the checks in order, stop at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", required=True, metavar="PATH", help="the binary under test")
    parser.add_argument("--server-url", metavar="URL", help="an empty database; otherwise SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sessctl-site-") as folder:
        site = DeviceSite(folder, options.server_url)
        site.fill()
        return run_checks(CHECKS, options.sessctl, site)


if __name__ == "__main__":
    sys.exit(main())
