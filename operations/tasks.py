"""The queue's side: ids in, nothing out."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from operations import engine, journal, queue


@shared_task(name="operations.run")
def run(operation_id: str) -> None:
    """Run one operation; harmless when called twice, late, or for something that ended long ago."""
    engine.execute(UUID(operation_id))


@shared_task(name="operations.sweep")
def sweep() -> None:
    """Bring back what the queue lost and what a dead worker held."""
    silent_for = journal.SILENT_IN_QUEUE if queue.waiting() else journal.SILENT
    for operation_id in journal.lost(silent_for=silent_for):
        queue.enqueue(operation_id)
