"""A user model whose primary key is a UUID, for SITE_USERS=uuid, and a proxy of it, for SITE_USERS=proxy."""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class UuidUser(AbstractBaseUser):
    """As little of a user as login() needs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    username = models.CharField(max_length=150, unique=True)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "username"
    objects = BaseUserManager()


class ProxyUser(UuidUser):
    """The same users, in the same table."""

    class Meta:
        proxy = True
