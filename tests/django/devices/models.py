"""A model with a foreign key to Django's sessions, and one that only writes the key down, in a table with an odd name."""

from django.contrib.sessions.models import Session
from django.db import models


class Device(models.Model):
    """The browser of a session."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)


class Visit(models.Model):
    """A request of a session."""

    session_key = models.CharField("key", max_length=40, db_index=True, db_column="Session Key")
    path = models.CharField(max_length=200)

    class Meta:
        db_table = "Visit.Log"
