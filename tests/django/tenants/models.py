"""Tenants as django-tenants wants them: each has a schema, and hosts that lead there."""

from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):
    """A shop among others."""

    name = models.CharField(max_length=100)
    auto_create_schema = True


class Domain(DomainMixin):
    """A host name of a tenant."""
