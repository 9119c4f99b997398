#!/usr/bin/env python
"""Django's command line for the panel; `bin/panel manage …` runs it with the panel's own Python."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmpanel.settings")
    execute_from_command_line(sys.argv)
