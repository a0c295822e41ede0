"""Made after django.contrib.sessions, to which they refer."""
