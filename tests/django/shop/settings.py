"""A small shop, the same on Django 3.2 to 6: what varies between tests comes from the environment.

SITE_DATABASE_URL  sqlite:////absolute/path or postgres://user:password@host:port/name, or mysql://..
SITE_SECRET_KEY    the site's SECRET_KEY
SITE_SERIALIZER    json (the default) or pickle (the releases that bring one: up to 4.2)
SITE_TIME_ZONE     a zone means USE_TZ = False and naive local times in the table; unset means USE_TZ = True
SITE_USERS         int (the default) or uuid: the type of the users' primary key; proxy: a proxy of the model with a UUID
SITE_APP           more apps, if any
SITE_SESSIONS      the app that takes the place of django.contrib.sessions, and its middleware with it
SITE_ENGINE        the session engine; the db engine of that app otherwise
SITE_LOCK_TIMEOUT  for how many seconds a request waits for SQLite's locks; 30 by default, where Django's own is 5
"""

import os
from urllib.parse import unquote, urlsplit


def database(url):
    """Django's settings for one database URL."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        timeout = float(os.environ.get("SITE_LOCK_TIMEOUT", "30"))
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path[1:], "OPTIONS": {"timeout": timeout}}
    if parts.scheme == "mysql":
        # In the place of mysqlclient, which is built against a library; Django asks for its version.
        import pymysql

        pymysql.version_info = (2, 2, 8, "final", 0)
        pymysql.install_as_MySQLdb()
    return {
        "ENGINE": f"django.db.backends.{'mysql' if parts.scheme == 'mysql' else 'postgresql'}",
        "NAME": parts.path[1:],
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": parts.port,
        "CONN_MAX_AGE": 60,
    }


SECRET_KEY = os.environ["SITE_SECRET_KEY"]
DATABASES = {"default": database(os.environ["SITE_DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

SESSIONS = os.environ.get("SITE_SESSIONS", "django.contrib.sessions")

USE_TZ = "SITE_TIME_ZONE" not in os.environ
TIME_ZONE = os.environ.get("SITE_TIME_ZONE", "UTC")

ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    SESSIONS,
    "shop",
    *os.environ.get("SITE_APP", "").split(),
]
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    f"{SESSIONS}.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
USER_MODELS = {"int": "auth.User", "uuid": "shop.UuidUser", "proxy": "shop.ProxyUser"}
AUTH_USER_MODEL = USER_MODELS[os.environ.get("SITE_USERS", "int")]

if "allauth" in INSTALLED_APPS:
    MIDDLEWARE += [
        "allauth.account.middleware.AccountMiddleware",
        "allauth.usersessions.middleware.UserSessionsMiddleware",
    ]
    AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "allauth.account.auth_backends.AuthenticationBackend",
    ]
    TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ]
    LOGIN_REDIRECT_URL = "/whoami"
    ACCOUNT_EMAIL_VERIFICATION = "none"
    ACCOUNT_RATE_LIMITS = False
    USERSESSIONS_TRACK_ACTIVITY = True
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if "devices" in INSTALLED_APPS:
    MIDDLEWARE += ["devices.remember"]

SESSION_ENGINE = os.environ.get("SITE_ENGINE", f"{SESSIONS}.backends.db")
SESSION_SERIALIZER = "django.contrib.sessions.serializers.{}Serializer".format(
    {"json": "JSON", "pickle": "Pickle"}[os.environ.get("SITE_SERIALIZER", "json")]
)
