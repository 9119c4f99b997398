"""`manage.py watch`: the watcher's process."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hosts.connections import act_as
from watcher.watch import CannotGoOn, Watch


class Command(BaseCommand):
    help = (
        "Keeps the inventory true: one connection per host, events into rows and pushes. Runs until SIGTERM."
    )
    # They import every page of the site, which this process never shows.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Watch. Ends with status 1 where only a new process helps; the supervisor starts it."""
        act_as("watcher")
        watch = Watch()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watch.stop())
        try:
            watch.run()
        except CannotGoOn as reason:
            raise CommandError(str(reason)) from reason
