"""The shop: just enough to be somebody, to have something, and to be asked about both.

Every answer is what the visitor is to the site in this request, so that a test sees by request who is in.
"""

from threading import Semaphore

from django.contrib import auth, messages
from django.http import JsonResponse
from django.shortcuts import get_object_or_404

# Slow requests have read their sessions; they may write them.
READ, MAY_WRITE = Semaphore(0), Semaphore(0)


def log_in(request, user_id):
    """Log in by Django's own login(); ?age=SECONDS gives this one session another life time (below 0: over already).

    ?backend=PATH is the backend that lets the user in, otherwise Django's own.
    """
    user = get_object_or_404(auth.get_user_model(), pk=user_id)
    auth.login(request, user, backend=request.GET.get("backend", "django.contrib.auth.backends.ModelBackend"))
    if "age" in request.GET:
        request.session.set_expiry(int(request.GET["age"]))
    return whoami(request)


async def log_in_asynchronously(request, user_id):
    """Log in by Django's own alogin() (Django 5.0 and later)."""
    user = await auth.get_user_model().objects.aget(pk=user_id)
    await auth.alogin(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return JsonResponse({})


def log_out(request):
    """Django's own logout()."""
    auth.logout(request)
    return whoami(request)


def rotate(request):
    """The same session under a new key."""
    request.session.cycle_key()
    return whoami(request)


def change_password(request):
    """Django's own way to let the browser that changes the password stay in, and put all others of the user out."""
    if request.user.is_authenticated:
        request.user.set_unusable_password()  # another one each time, and no work for a hasher
        request.user.save()
        auth.update_session_auth_hash(request, request.user)
    return whoami(request)


def log_out_elsewhere(request):
    """All sessions of the visitor but this one end: by the Python package of sessctl, which has to be installed."""
    from sessctl import logout_user

    report = logout_user(request.user, keep=request.session)
    return JsonResponse({"deleted": report["deleted"]})


def whoami(request):
    """Who the visitor is, and what is in the cart. Reads the session only."""
    user = str(request.user.pk) if request.user.is_authenticated else None
    return JsonResponse({"user": user, "cart": request.session.get("cart", [])})


def add_to_cart(request, item):
    """Put one more item into the visitor's cart, logged in or not."""
    request.session["cart"] = request.session.get("cart", []) + [item]
    return whoami(request)


def add_to_cart_slowly(request, item):
    """The same, with a pause between reading the session and writing it for as long as the test likes."""
    cart = request.session.get("cart", [])
    READ.release()
    MAY_WRITE.acquire(timeout=60)
    request.session["cart"] = cart + [item]
    return whoami(request)


def note(request, text):
    """Leave a message for the next page: the message framework stores JSON inside the session."""
    messages.info(request, text)
    return whoami(request)


def impersonate(request, user_id):
    """What impersonation add-ons leave in a session: somebody else's id, deeper down."""
    request.session["impersonate"] = {"_auth_user_id": user_id, "history": [{"_auth_user_id": user_id}]}
    return whoami(request)
