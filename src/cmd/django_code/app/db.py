"""SESSION_ENGINE = "{{app}}.db": Django's own, and each session that is saved says whose it is."""

from django.contrib.sessions.backends.db import SessionStore as DBStore


class UserColumn:
    """Goes before a database-backed SessionStore."""

    @classmethod
    def get_model_class(cls):
        from .models import UserSession  # not before the apps are ready

        return UserSession

    def create_model_instance(self, data):
        session = super().create_model_instance(data)
        session.user_id = self.model.user_of(data)
        return session

    async def acreate_model_instance(self, data):  # Django 5.1 and later
        session = await super().acreate_model_instance(data)
        session.user_id = self.model.user_of(data)
        return session


class SessionStore(UserColumn, DBStore):
    """The name is part of the signature of every session: under another one, all that exist would be lost."""
