"""`manage.py watch`: a watcher's process."""

from __future__ import annotations

import gc
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core.memory import give_back_when_settled
from hosts.connections import act_as
from watcher.watch import Watch


class Command(BaseCommand):
    help = (
        "Keeps the inventory true: one connection per host, events into rows and pushes. Runs until SIGTERM. "
        "Several of them, on one machine or on many, share the hosts."
    )
    # They import every page of the site, which this process never shows.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One option."""
        parser.add_argument(
            "--remote-only",
            action="store_true",
            help="leave hosts that are reached by a local socket to others: for machines other than the panel's",
        )

    def handle(self, *args: Any, remote_only: bool, **options: Any) -> None:
        """Watch."""
        act_as("watcher")
        watch = Watch(remote_only=remote_only)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watch.stop())
        gc.freeze()  # what was imported stays: looking through it for garbage takes longer than the work
        give_back_when_settled()
        watch.run()
