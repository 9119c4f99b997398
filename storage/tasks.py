"""The queue's side: procedures that workers know, and what is done by the clock."""

from __future__ import annotations

import time
from pathlib import Path

from celery import shared_task
from django.utils import timezone

from core.events import publish
from storage import exported, inventory, procedures, spool
from storage.models import Export, Pool, Upload, UploadState

__all__ = ["procedures", "sweep_exports", "sweep_uploads"]


@shared_task(name="storage.sweep_uploads")
def sweep_uploads() -> None:
    """Forget uploads that nobody touched for a day, and files in the uploads folder that belong to none.

    One that an operation is storing is never swept away under its feet.
    """
    stale = Upload.objects.exclude(state=UploadState.STORING).filter(
        touched_at__lt=timezone.now() - spool.KEPT
    )
    if stale.delete()[0]:
        publish("uploads")
    wanted = set(
        Upload.objects.filter(state__in=(UploadState.RECEIVING, UploadState.STORING)).values_list(
            "uuid", flat=True
        )
    )
    for path, upload in spool.all_parts():
        if upload not in wanted and _old(path):
            path.unlink(missing_ok=True)


@shared_task(name="storage.sweep_exports")
def sweep_exports() -> None:
    """Forget exports whose day is over, and files in the exports folder that belong to none."""
    over = Export.objects.filter(expires_at__lt=timezone.now())
    pools = list(Pool.objects.filter(volumes__exports__in=over).distinct())
    over.delete()
    for pool in pools:
        inventory.tell(pool)
    wanted = set(Export.objects.values_list("uuid", flat=True))
    for path, export in exported.all_files():
        if export not in wanted and _old(path):
            path.unlink(missing_ok=True)


def _old(path: Path) -> bool:
    """A file is made a moment before its row is committed."""
    try:
        return time.time() - path.stat().st_mtime > 60
    except FileNotFoundError:
        return False
