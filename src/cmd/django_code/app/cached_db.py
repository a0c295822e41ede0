"""SESSION_ENGINE = "{{app}}.cached_db": the same for sites that use django.contrib.sessions.backends.cached_db."""

from django.contrib.sessions.backends.cached_db import SessionStore as CachedDBStore

from .db import UserColumn


class SessionStore(UserColumn, CachedDBStore):
    """The name is part of the signature of every session: under another one, all that exist would be lost."""
