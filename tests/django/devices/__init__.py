"""What sites keep beside sessions: a row of the browser, with a foreign key to the session, and one of each visit, without.

`SITE_APP="devices"` has the site write both.
"""


def remember(get_response):
    """The middleware: each request of somebody who is logged in is a visit from a device."""
    from .models import Device, Visit

    def respond(request):
        response = get_response(request)
        key = request.session.session_key
        if key and request.user.is_authenticated and request.session.get_expiry_age() > 0:
            request.session.save()  # The login is in the table before what refers to it.
            Device.objects.get_or_create(session_id=key, defaults={"name": request.headers["User-Agent"]})
            Visit.objects.create(session_key=key, path=request.path)
        return response

    return respond
