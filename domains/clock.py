"""What is asked for by the clock, through the same actions as people."""

from __future__ import annotations

from celery import shared_task

from domains.actions import snapshot_schedule, trash


@shared_task(name="domains.take_snapshots")
def take_snapshots() -> None:
    """Take the snapshots that are due, each in the name of who set the rule."""
    snapshot_schedule.take_due()


@shared_task(name="domains.empty_trash")
def empty_trash() -> None:
    """Delete for good what has been in the trash for long enough."""
    trash.empty()
