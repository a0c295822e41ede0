"""A part of probe.py: what is known of the project's users."""


def users(sessions):
    from django.apps import apps
    from django.contrib.auth import get_user_model

    if not apps.is_installed("django.contrib.auth"):
        return None
    model = get_user_model()
    mail = getattr(model, "get_email_field_name", lambda: "email")()
    return {
        "table": model._meta.db_table,
        "beside_sessions": database_of(model) == database_of(sessions),
        "key": model._meta.pk.column,
        "key_type": key_type(model._meta.pk),
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
    # That of a model that inherits refers to its parent's.
    while field.remote_field:
        field = field.target_field
    is_of_django = type(field).__module__.startswith("django.db.models.")
    return KEY_TYPES.get(field.get_internal_type()) if is_of_django else None


def column(model, name):
    """The column of a field, if it has one in the model's own table. A proxy has that of the model behind it."""
    fields = model._meta.concrete_model._meta.local_concrete_fields
    return next((field.column for field in fields if field.name == name), None)
