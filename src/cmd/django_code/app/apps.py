"""The app's name."""

from django.apps import AppConfig


class SessionUserConfig(AppConfig):
    """Stands in INSTALLED_APPS beside django.contrib.sessions."""

    name = "{{app}}"
