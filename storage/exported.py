"""Disks that people take away: one file for each, in the exports folder, which nginx sends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import content_disposition_header

SUFFIX = ".qcow2"
# For how long a file can be taken.
KEPT = timedelta(hours=24)
# Where nginx finds it, for itself alone (launcher/templates/nginx.conf).
INTERNAL = "/_exports/"


def path_of(export: UUID) -> Path:
    """Where it lies, or would lie."""
    folder: Path = settings.EXPORTS_DIR
    return folder / f"{export}{SUFFIX}"


def sent(export: UUID, *, filename: str) -> HttpResponse:
    """The answer that makes nginx send it: in parts, and from where it broke off, as its client asks."""
    response = HttpResponse(content_type="application/octet-stream")
    response["X-Accel-Redirect"] = f"{INTERNAL}{export}{SUFFIX}"
    response["Content-Disposition"] = content_disposition_header(True, filename)  # noqa: FBT003
    return response


def drop(export: UUID) -> None:
    """Delete its file, where there is one."""
    path_of(export).unlink(missing_ok=True)


def all_files() -> Iterator[tuple[Path, UUID | None]]:
    """Every file in the folder, with the export that its name tells; None where it tells none."""
    for path in sorted(Path(settings.EXPORTS_DIR).glob("*")):
        try:
            yield path, UUID(path.name.removesuffix(SUFFIX))
        except ValueError:
            yield path, None
