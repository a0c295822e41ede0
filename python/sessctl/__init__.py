"""Administer Django's session table: `python -m sessctl` is the program, `"sessctl"` in INSTALLED_APPS brings
`manage.py sessctl`, and `logout_user()` logs a user out everywhere from a view."""

from ._program import NotLoggedOut, logout_user, program

__all__ = ["NotLoggedOut", "logout_user", "program"]
