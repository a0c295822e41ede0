#!/usr/bin/env python
"""What docs/django.md says of Django, seen by request on a real site: which rows come, move and go, and who is in.

Runs under the Python of an environment that has Django (3.2 or newer). Exit code 0: all of it is so.
"""

import argparse
import os
import sys
import tempfile
from datetime import timedelta

from check_site import run_checks
from site_under_test import HOUR, Site, SlowRequest, Visitor, expect

FORTNIGHT = timedelta(days=14)


def user_of(site, number):
    """A user, as the site knows them now."""
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(pk=site.user_id(number))


def expiry(site, visitor):
    """When the session of this visitor will be over, and in how many seconds."""
    from django.utils import timezone

    at = site.rows()[visitor.key].expire_date
    return at, (at - timezone.now()).total_seconds()


def signed_with(site, visitor, key):
    """Whether this SECRET_KEY made the row."""
    from django.contrib.sessions.backends.db import SessionStore
    from django.test import override_settings

    more = {"SECRET_KEY_FALLBACKS": []} if has_fallbacks() else {}
    with override_settings(SECRET_KEY=key, **more):
        return SessionStore().decode(site.rows()[visitor.key].session_data) != {}


def has_fallbacks():
    """Whether this release has SECRET_KEY_FALLBACKS."""
    from django.conf import settings

    return hasattr(settings, "SECRET_KEY_FALLBACKS")


def moved(site, visitor, request):
    """Whether a request moves the session to another key, and leaves nothing at the old one."""
    old = visitor.key
    request()
    expect(visitor.key in site.rows(), "the session is in the table")
    if visitor.key == old:
        return False
    expect(old not in site.rows(), "the old key is gone")
    return True


# --- login and logout -----------------------------------------------------------------------------------------------


def a_login_moves_the_session_and_keeps_the_cart(site, sessctl):
    """cycle_key(): a new key, the same data."""
    visitor = Visitor(site).add_to_cart(1)
    expect(moved(site, visitor, lambda: visitor.log_in(4)), "a login gets a new key")
    visitor.look()


def a_login_as_the_same_user_stays_where_it_is(site, sessctl):
    """Neither a new key nor an empty session."""
    visitor = Visitor(site, 4).add_to_cart(1)
    expect(not moved(site, visitor, lambda: visitor.log_in(4)), "the key stays")
    visitor.look()


def a_login_as_somebody_else_begins_anew(site, sessctl):
    """flush(): the other user's cart is gone, and the row."""
    visitor = Visitor(site, 4).add_to_cart(1)
    expect(moved(site, visitor, lambda: visitor.log_in(7)), "the session is a new one")
    visitor.cart = []
    visitor.look()


def a_logout_deletes_the_row(site, sessctl):
    """flush(): row, cart and login are gone, and no new row comes."""
    visitor, rows = Visitor(site, 4).add_to_cart(1), len(site.rows())
    visitor.get("/logout")
    visitor.out = True
    visitor.look()
    expect(len(site.rows()) == rows - 1, "one row less")


# --- when rows are written ------------------------------------------------------------------------------------------


def only_a_change_moves_the_expiry(site, sessctl):
    """A request that reads writes nothing, unless SESSION_SAVE_EVERY_REQUEST says so."""
    from django.test import override_settings

    visitor = Visitor(site, 4)
    before, left = expiry(site, visitor)
    expect(abs(left - FORTNIGHT.total_seconds()) < 60, f"SESSION_COOKIE_AGE from now on: {left}")
    visitor.look()
    expect(expiry(site, visitor)[0] == before, "reading writes nothing")
    visitor.add_to_cart(1)
    after = expiry(site, visitor)[0]
    expect(after > before, "a change moves it")
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        visitor.look()
        expect(expiry(site, visitor)[0] > after, "now reading moves it, too")
        rows = len(site.rows())
        Visitor(site).get("/whoami")
        expect(len(site.rows()) == rows, "who has nothing gets no row")


def another_cookie_age_is_for_what_is_saved_from_then_on(site, sessctl):
    """SESSION_COOKIE_AGE changes no row that is there; set_expiry() counts more."""
    from django.test import override_settings

    visitor, own = Visitor(site, 4), Visitor(site, 4, age=2 * HOUR)
    before = expiry(site, visitor)[0]
    with override_settings(SESSION_COOKIE_AGE=HOUR):
        visitor.look()
        expect(expiry(site, visitor)[0] == before, "the row is as it was")
        visitor.add_to_cart(1)
        own.add_to_cart(1)
    expect(abs(expiry(site, visitor)[1] - HOUR) < 60, "an hour from its save on")
    expect(abs(expiry(site, own)[1] - 2 * HOUR) < 60, "its own two hours from its save on")


def clearsessions_takes_what_is_over(site, sessctl):
    """And nothing else."""
    from django.core.management import call_command

    over, live = Visitor(site, 4, age=-HOUR), Visitor(site, 4)
    expect(over.key in site.rows(), "the row of a session that is over stays")
    call_command("clearsessions")
    expect(over.key not in site.rows() and live.key in site.rows(), "until clearsessions")
    for visitor in site.visitors:
        visitor.out = visitor.out or visitor.expired


# --- users ----------------------------------------------------------------------------------------------------------


def another_password_ends_the_other_sessions_at_their_next_request(site, sessctl):
    """The row goes when its owner comes with it, not before; the session of the change goes on under a new key."""
    here, there, never = Visitor(site, 11).add_to_cart(1), Visitor(site, 11), Visitor(site, 11)
    expect(moved(site, here, lambda: here.get("/password")), "update_session_auth_hash() moves it")
    here.look()
    expect(there.key in site.rows() and never.key in site.rows(), "the others' rows are there still")
    there.out = True
    there.look()
    expect(there.key not in site.rows() and never.key in site.rows(), "a request deletes its own row")
    sessctl.logout(site.spell(11), matched=2)
    here.out = never.out = True


def who_is_inactive_or_gone_is_out_and_the_row_stays(site, sessctl):
    """And lets its owner in again, once the user is active."""
    visitor, user = Visitor(site, 12), user_of(site, 12)
    user.is_active = False
    user.save()
    visitor.out = True
    visitor.look()
    expect(visitor.key in site.rows(), "the row stays")
    user.is_active = True
    user.save()
    visitor.out = False
    visitor.look()
    other = Visitor(site, 13)
    user_of(site, 13).delete()
    other.out = True
    other.look()
    expect(other.key in site.rows(), "the row of a user who is gone stays")
    sessctl.logout(site.spell(13), matched=1)


def the_backend_of_the_login_must_be_allowed(site, sessctl):
    """And says who is let in."""
    from django.test import override_settings

    backends = "django.contrib.auth.backends"
    visitor, user = Visitor(site, 15), user_of(site, 15)
    with override_settings(AUTHENTICATION_BACKENDS=[f"{backends}.AllowAllUsersModelBackend"]):
        visitor.out = True
        visitor.look()
        expect(visitor.key in site.rows(), "the row stays")
        everybody = Visitor(site)
        everybody.get(f"/login/{site.user_id(15)}?backend={backends}.AllowAllUsersModelBackend")
        everybody.user = visitor.user
        user.is_active = False
        user.save()
        everybody.look()
    everybody.out, visitor.out = True, False
    user.is_active = True
    user.save()
    visitor.look()


# --- SECRET_KEY -----------------------------------------------------------------------------------------------------


def a_new_key_without_the_old_one_puts_everybody_out(site, sessctl):
    """The rows stay, and are read as empty. What is saved next is written over them."""
    from django.test import override_settings

    visitor, other, old = Visitor(site, 4), Visitor(site, 4), site.secret_key
    more = {"SECRET_KEY_FALLBACKS": []} if has_fallbacks() else {}
    with override_settings(SECRET_KEY="the new one", **more):
        visitor.out = True
        visitor.look()
        visitor.out = False
        expect(signed_with(site, visitor, old), "the row is as it was")
        expect(not moved(site, other, lambda: other.add_to_cart(1)), "the cookie is good still")
        expect(signed_with(site, other, "the new one"), "the row is another one")
    site.rows()[other.key].delete()
    other.out = True
    visitor.look()


def with_the_old_one_as_fallback_nobody_notices(site, sessctl):
    """A login moves to a new key at its next request; what has no login is signed anew when it is saved."""
    from django.test import override_settings

    if not has_fallbacks():
        return
    visitor, cart, old = Visitor(site, 4).add_to_cart(1), Visitor(site).add_to_cart(2), site.secret_key
    with override_settings(SECRET_KEY="the new one", SECRET_KEY_FALLBACKS=[old]):
        expect(moved(site, visitor, visitor.look), "a request that reads moves a login")
        expect(signed_with(site, visitor, "the new one"), "to a row that the new key made")
        expect(not moved(site, cart, cart.look) and signed_with(site, cart, old), "a cart stays as it is")
        cart.add_to_cart(3)
        expect(signed_with(site, cart, "the new one"), "until it is saved")
    for gone in visitor, cart:
        gone.out = True
    site.rows()[visitor.key].delete()
    site.rows()[cart.key].delete()


# --- races ----------------------------------------------------------------------------------------------------------


def a_row_that_goes_between_two_requests(site, sessctl):
    """Logged out, and no new row."""
    visitor = Visitor(site, 14)
    sessctl.logout(site.spell(14), matched=1)
    visitor.out, rows = True, len(site.rows())
    visitor.look()
    expect(len(site.rows()) == rows, "no row comes back")


def a_row_that_goes_during_a_request_that_saves(site, sessctl):
    """HTTP 400, and the row does not come back."""
    visitor = Visitor(site, 14)
    request = SlowRequest(visitor, 1)
    sessctl.logout(site.spell(14), matched=1)
    failed = SlowRequest.let_write([request]).failure
    expect("HTTP 400" in str(failed), f"the request fails: {failed}")
    visitor.out = True
    visitor.look()
    expect(visitor.key not in site.rows(), "no row comes back")


def a_row_that_loses_its_login_during_a_request_that_saves(site, sessctl):
    """The request writes back what it read. So sessctl looks again, but only for so long."""
    visitor = Visitor(site, 14)
    request = SlowRequest(visitor, 1)
    sessctl.run("logout-user", site.spell(14), "--keep-data")
    expect(visitor.get("/whoami")["user"] is None, "out, between the two")
    SlowRequest.let_write([request])
    visitor.cart = [1]
    visitor.look()
    expect(visitor.user is not None and not visitor.out, "in again")
    sessctl.logout(site.spell(14), matched=1)
    visitor.out = True


CHECKS = [
    a_login_moves_the_session_and_keeps_the_cart,
    a_login_as_the_same_user_stays_where_it_is,
    a_login_as_somebody_else_begins_anew,
    a_logout_deletes_the_row,
    only_a_change_moves_the_expiry,
    another_cookie_age_is_for_what_is_saved_from_then_on,
    clearsessions_takes_what_is_over,
    another_password_ends_the_other_sessions_at_their_next_request,
    who_is_inactive_or_gone_is_out_and_the_row_stays,
    the_backend_of_the_login_must_be_allowed,
    a_new_key_without_the_old_one_puts_everybody_out,
    with_the_old_one_as_fallback_nobody_notices,
    a_row_that_goes_between_two_requests,
    a_row_that_goes_during_a_request_that_saves,
    a_row_that_loses_its_login_during_a_request_that_saves,
]


# --- cached_db ------------------------------------------------------------------------------------------------------


def the_cache_is_asked_first(site, sessctl):
    """Without its row a session is in for whoever reads; who changes it gets HTTP 400, and is in still."""
    from django.core.cache import cache

    visitor = Visitor(site, 14)
    sessctl.logout(site.spell(14), matched=1)
    visitor.look()
    visitor.request("GET", "/cart/add/1", status=400)
    visitor.look()
    expect(visitor.key not in site.rows(), "no row comes back")
    cache.delete(f"django.contrib.sessions.cached_db{visitor.key}")
    visitor.out = True
    visitor.look()


def a_request_fills_the_cache_from_the_row(site, sessctl):
    """So who deletes from the cache first has done nothing."""
    from django.core.cache import cache

    visitor = Visitor(site, 14)
    cache.delete(f"django.contrib.sessions.cached_db{visitor.key}")
    visitor.look()
    sessctl.logout(site.spell(14), matched=1)
    visitor.look()


def a_row_that_lost_its_login_gets_it_back(site, sessctl):
    """By a request that changes the session, as it is in the cache."""
    visitor = Visitor(site, 14)
    sessctl.run("logout-user", site.spell(14), "--keep-data")
    visitor.look()
    expect("_auth_user_id" not in site.rows()[visitor.key].get_decoded(), "the row has no login")
    visitor.add_to_cart(1)
    visitor.look()
    expect("_auth_user_id" in site.rows()[visitor.key].get_decoded(), "the row has it again")


def clearsessions_leaves_the_cache_alone(site, sessctl):
    """It deletes rows. What is over is over in the cache by itself."""
    from django.core.cache import cache
    from django.core.management import call_command

    visitor = Visitor(site, 4)
    row = site.rows()[visitor.key]
    row.expire_date -= timedelta(days=15)
    row.save()
    call_command("clearsessions")
    expect(visitor.key not in site.rows(), "the row is gone")
    visitor.look()
    expect(cache.get(f"django.contrib.sessions.cached_db{visitor.key}"), "the entry is not")


CHECKS_OF_A_CACHE = [
    the_cache_is_asked_first,
    a_request_fills_the_cache_from_the_row,
    a_row_that_lost_its_login_gets_it_back,
    clearsessions_leaves_the_cache_alone,
]


def main():
    """Make the site, run the checks in order, stop at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", required=True, metavar="PATH", help="the binary under test")
    parser.add_argument("--cached", action="store_true", help="with the cached_db engine")
    options = parser.parse_args()
    if options.cached:
        os.environ["SITE_ENGINE"] = "django.contrib.sessions.backends.cached_db"
    with tempfile.TemporaryDirectory(prefix="sessctl-site-") as folder:
        site = Site(folder)
        return run_checks(CHECKS_OF_A_CACHE if options.cached else CHECKS, options.sessctl, site)


if __name__ == "__main__":
    sys.exit(main())
