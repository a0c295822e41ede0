"""As makemigrations writes it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("sessions", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Device",
            fields=[
                ("id", models.AutoField(primary_key=True)),
                ("name", models.CharField(max_length=100)),
                ("session", models.OneToOneField(on_delete=models.CASCADE, to="sessions.session")),
            ],
        ),
        migrations.CreateModel(
            name="Visit",
            fields=[
                ("id", models.AutoField(primary_key=True)),
                ("session_key", models.CharField("key", max_length=40, db_index=True, db_column="Session Key")),
                ("path", models.CharField(max_length=200)),
            ],
            options={"db_table": "Visit.Log"},
        ),
    ]
