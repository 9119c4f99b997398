"""All that must be true before the parts start, in one process: `bin/panel up` runs it each time.

Database migrated, static files collected, a first admin, this machine as a host. What is so already costs little.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Migrates, collects static files, makes the first admin and registers this machine."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--no-hypervisor` leaves this machine out of it."""
        parser.add_argument("--no-hypervisor", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line of JSON: what `first_admin` says, and warnings about this machine."""
        admin, warnings = io.StringIO(), io.StringIO()
        call_command("migrate", interactive=False, verbosity=0)
        _collect_static_files()
        if not options["no_hypervisor"]:
            call_command("prepare_local_host", stderr=warnings)
        call_command("first_admin", stdout=admin)  # last: a password that is made must also be said
        said = {"admin": json.loads(admin.getvalue()), "warnings": warnings.getvalue().splitlines()}
        self.stdout.write(json.dumps(said))


def _collect_static_files() -> None:
    """Collect and hash them again only where a source changed: it takes seconds, and looking takes milliseconds."""
    stamp = settings.STATE_DIR / "cache" / "static.sha256"
    fingerprint = _fingerprint_of_sources()
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(fingerprint)


def _fingerprint_of_sources() -> str:
    """Of every source's name, size and time of change, and of where they go."""
    digest = hashlib.sha256(str(settings.STATIC_ROOT).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
