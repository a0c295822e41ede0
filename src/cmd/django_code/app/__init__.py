"""The sessions of django.contrib.sessions, with a column that says whose they are. README.md has the settings."""
