#!/usr/bin/env python
"""Log users out of the sites of several tenants, each with users and sessions in a schema of its own.

django-tenants and the sites are real, and who is in is seen by request. Exit code 0: all checks held.
"""

import argparse
import json
import os
import subprocess
import sys

SECRET_KEY = "not-a-secret-outside-of-tests"
TENANTS = ["acme", "beta", "gamma"]
USERS = ["1", "2"]


def set_up():
    """Schemas, tables, tenants and users; users of different tenants have the same ids."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from tenants.models import Domain, Tenant

    call_command("migrate_schemas", "--shared", run_syncdb=True, verbosity=0)
    from django.contrib.auth import get_user_model
    from django_tenants.utils import schema_context

    for name in TENANTS:
        tenant = Tenant.objects.create(schema_name=name, name=name)
        Domain.objects.create(domain=host(name), tenant=tenant, is_primary=True)
        with schema_context(name):
            for user in USERS:
                get_user_model().objects.create(pk=user, username=f"{name}-{user}")
    connection.close()


def host(tenant):
    """Where its site is."""
    return f"{tenant}.example.org"


class Visitor:
    """A browser that is logged in on the site of one tenant."""

    def __init__(self, tenant, user):
        from django.test import Client

        self.tenant, self.user, self.client = tenant, user, Client(HTTP_HOST=host(tenant))
        self.ask(f"/login/{user}")

    def ask(self, path):
        answer = self.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.content[:500]}"
        return answer.json()

    def is_in(self):
        """Who is asking, by what the site says."""
        user = self.ask("/whoami")["user"]
        assert user in (None, self.user), f"{self.user} of {self.tenant} is {user}"
        return user is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessctl", required=True)
    parser.add_argument("--postgres-url", required=True)
    arguments = parser.parse_args()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="tenants.settings",
        SITE_DATABASE_URL=arguments.postgres_url,
        SITE_SECRET_KEY=SECRET_KEY,
    )
    set_up()
    visitors = [Visitor(tenant, user) for tenant in TENANTS for user in USERS for _ in range(2)]
    project = ["--django", os.path.dirname(os.path.abspath(__file__)), "--settings", "tenants.settings"]
    project += ["--python", sys.executable]
    given = ["-d", arguments.postgres_url]
    environment = {**os.environ, "SESSCTL_SECRET_KEY": SECRET_KEY}

    def sessctl(*line):
        ran = subprocess.run(
            [arguments.sessctl, *line, "--format", "json"], env=environment, capture_output=True, text=True
        )
        print(line, ran.returncode, ran.stdout, ran.stderr)
        assert ran.returncode == 0, ran.returncode
        return json.loads(ran.stdout)

    def expect(*out):
        """That these are out, each a tenant and a user, and nobody else."""
        for visitor in visitors:
            wanted = (visitor.tenant, visitor.user) not in out
            assert visitor.is_in() == wanted, f"{visitor.user} of {visitor.tenant} should be in: {wanted}"

    expect()
    one = sessctl("logout-user", "1", "--schema", "acme", *given)
    assert one["deleted"] == 2, one
    expect(("acme", "1"))
    named = sessctl("logout-user", "--username", "beta-2", "--all-schemas", *project)
    assert named["deleted"] == 2, named
    assert [(part["schema"], part["deleted"]) for part in named["schemas"]] == [
        ("acme", 0),
        ("beta", 2),
        ("gamma", 0),
        ("public", 0),
    ], named
    expect(("acme", "1"), ("beta", "2"))
    everywhere = sessctl("logout-user", "1", "--all-schemas", *given)
    assert everywhere["deleted"] == 4 and everywhere["remaining"] == 0, everywhere
    expect(*[(tenant, "1") for tenant in TENANTS], ("beta", "2"))
    flushed = sessctl("flush-all", "--yes", "--all-schemas", "--authenticated-only", *project)
    assert flushed["remaining"] == 0, flushed
    expect(*[(tenant, user) for tenant in TENANTS for user in USERS])


if __name__ == "__main__":
    main()
