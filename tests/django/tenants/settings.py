"""The shop for many tenants (django-tenants): each has its own users and sessions in a schema of its own."""

from shop.settings import *  # noqa: F403
from shop.settings import DATABASES, MIDDLEWARE

DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.sessions",
    "shop",
]
SHARED_APPS = ["django_tenants", "tenants", *TENANT_APPS]
INSTALLED_APPS = SHARED_APPS
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]
ALLOWED_HOSTS = [".example.org"]
