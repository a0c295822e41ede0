#!/usr/bin/env python
"""Django's usual entry point, for looking at the test site by hand (see shop/settings.py for its variables)."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
