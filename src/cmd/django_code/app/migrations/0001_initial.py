"""Adds the column and its index to the table of django.contrib.sessions, unless `sessctl backfill` has done so."""

from django.db import migrations, models

TABLE, COLUMN, INDEX = "django_session", "{{column}}", "django_session_{{column}}_sessctl"
FIELD = models.{{field}}(db_column=COLUMN, db_index=True, null=True, editable=False)


def type_of_column(connection):
    """As the database spells it, or None if there is no such column."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT lower(type) FROM pragma_table_info(%s) WHERE name = %s", [TABLE, COLUMN])
        else:
            cursor.execute(
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attname = %s AND NOT attisdropped",
                [TABLE, COLUMN],
            )
        row = cursor.fetchone()
    return row[0] if row else None


def indexes(connection):
    """The names of the indexes that begin with the column."""
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, TABLE)
    return [name for name, found in constraints.items() if found["index"] and found["columns"][:1] == [COLUMN]]


def limit_waiting(editor):
    """Every request that reads a session queues behind a statement that waits for its lock on the table."""
    if editor.connection.vendor == "postgresql":
        editor.execute("SET LOCAL lock_timeout = '5s'")


def add_column(apps, editor):
    quoted = editor.quote_name
    wanted, found = FIELD.db_type(editor.connection), type_of_column(editor.connection)
    if found not in (None, wanted):
        raise RuntimeError(f"{TABLE}.{COLUMN} is of type {found}, and this app writes {wanted}: see --type")
    limit_waiting(editor)
    if found is None:
        editor.execute(f"ALTER TABLE {quoted(TABLE)} ADD COLUMN {quoted(COLUMN)} {wanted} NULL")
    if not indexes(editor.connection):
        editor.execute(f"CREATE INDEX {quoted(INDEX)} ON {quoted(TABLE)} ({quoted(COLUMN)})")


def drop_column(apps, editor):
    quoted = editor.quote_name
    limit_waiting(editor)
    for name in indexes(editor.connection):
        editor.execute(f"DROP INDEX {quoted(name)}")
    if type_of_column(editor.connection) is not None:
        editor.execute(f"ALTER TABLE {quoted(TABLE)} DROP COLUMN {quoted(COLUMN)}")


class Migration(migrations.Migration):
    """The model is not managed, so creating it changes nothing in the database."""

    dependencies = [("sessions", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="UserSession",
            fields=[
                ("session_key", models.CharField("session key", max_length=40, primary_key=True, serialize=False)),
                ("session_data", models.TextField("session data")),
                ("expire_date", models.DateTimeField("expire date", db_index=True)),
                ("user_id", FIELD),
            ],
            options={"managed": False, "db_table": TABLE},
        ),
        migrations.RunPython(add_column, drop_column, hints={"model_name": "usersession"}),
    ]
