"""A part of probe.py: what is known of the project's users."""


def users(sessions):
    from django.apps import apps
    from django.contrib.auth import get_user_model
    from django.db import connections

    if not apps.is_installed("django.contrib.auth"):
        return None
    model = get_user_model()
    mail = getattr(model, "get_email_field_name", lambda: "email")()
    return {
        "table": model._meta.db_table,
        "beside_sessions": database_of(model) == database_of(sessions),
        "key": model._meta.pk.column,
        "key_type": key_type(model._meta.pk),
        "key_converts": key_converts(model._meta.pk, connections[database_of(model)]),
        "username": column(model, model.USERNAME_FIELD),
        "email": column(model, mail),
        "is_active": column(model, "is_active"),
        "is_staff": column(model, "is_staff"),
        "is_superuser": column(model, "is_superuser"),
    }


# What a session holds as the id of a user, by the kind of the primary key.
KEY_TYPES = {
    **dict.fromkeys(("CharField", "SlugField", "TextField"), "text"),
    **dict.fromkeys(("AutoField", "BigAutoField", "SmallAutoField"), "number"),
    **dict.fromkeys(("IntegerField", "BigIntegerField", "SmallIntegerField"), "number"),
    **dict.fromkeys(("PositiveIntegerField", "PositiveBigIntegerField", "PositiveSmallIntegerField"), "number"),
    "UUIDField": "uuid",
}


def key_type(field):
    """Nothing for a field that is not Django's: it may write ids into sessions in another form."""
    field = target(field)
    is_of_django = type(field).__module__.startswith("django.db.models.")
    return KEY_TYPES.get(field.get_internal_type()) if is_of_django else None


def target(field):
    """The key of a model that inherits refers to its parent's."""
    while field.remote_field:
        field = field.target_field
    return field


# What a field of the site's own may do to an id on its way from the table into a session, and back.
CONVERSIONS = "from_db_value", "to_python", "get_prep_value", "get_db_prep_value", "value_from_object", "value_to_string"
# Keys as a table may hold them.
KEYS = {"number": (7, 4207), "text": ("Ab-07", "4207"), "uuid": (UUID(int=7), UUID(int=4207))}


def key_converts(field, connection):
    """The class of a field of the site's own that writes ids into sessions in another form than the table has them."""
    field = target(field)
    definers = [parent for parent in type(field).__mro__ for name in CONVERSIONS if name in vars(parent)]
    if all(parent.__module__.split(".")[0] == "django" for parent in definers):
        return None
    keys = KEYS.get(KEY_TYPES.get(field.get_internal_type()), ())
    try:
        keeps = bool(keys) and all(is_kept(key, field, connection) for key in keys)
    except Exception:  # It may take none but keys of its own making.
        keeps = False
    return None if keeps else type(field).__name__


def is_kept(key, field, connection):
    """Whether this key goes into a session as it is, and is found by that."""
    from_table = getattr(field, "from_db_value", lambda value, *_: value)
    user = SimpleNamespace(**{field.attname: from_table(key, None, connection)})
    return field.value_to_string(user) == str(key) and str(field.get_prep_value(field.to_python(str(key)))) == str(key)


def column(model, name):
    """The column of a field, if it has one in the model's own table. A proxy has that of the model behind it."""
    fields = model._meta.concrete_model._meta.local_concrete_fields
    return next((field.column for field in fields if field.name == name), None)
