"""The session table as this site writes it."""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.exceptions import ValidationError
from django.db import models


class UserSession(AbstractBaseSession):
    """A row of django_session. The table remains django.contrib.sessions' own, so this model is not managed."""

    user_id = models.{{field}}(db_column="{{column}}", db_index=True, null=True, editable=False)

    class Meta:
        managed = False
        db_table = "django_session"

    @classmethod
    def get_session_store_class(cls):
        from .db import SessionStore

        return SessionStore

    @classmethod
    def user_of(cls, data):
        """The id of the user whom Django logged in, or None; None too for an id that the column cannot hold."""
        if data.get(SESSION_KEY) is None:
            return None
        text = str(data[SESSION_KEY])
        try:
            user = cls._meta.get_field("user_id").clean(text, None)
        except ValidationError:
            return None
        if isinstance(user, int) and (str(user) != text or user.bit_length() > 63):  # 042 is not 42
            return None
        return user
