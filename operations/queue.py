"""Puts an operation's id on the queue. Losing the message costs seconds: the sweeper finds the row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from amqp.exceptions import ChannelError
from celery import current_app
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from operations.models import Operation

log = structlog.get_logger(__name__)


# The hard end of a long operation's attempt; what hangs for that long is given to another worker.
LONG_LIMIT_S = 7 * 24 * 3600


def enqueue(operation_id: UUID) -> None:
    """Send the id again, and remember that it was sent."""
    rows = Operation.objects.filter(pk=operation_id)
    rows.update(enqueued_at=Now())
    send(operation_id, long=rows.filter(long=True).exists())


def send(operation_id: UUID, *, long: bool) -> None:
    """Send the id; that it was sent is written down already."""
    limit_s = LONG_LIMIT_S if long else None
    try:
        current_app.send_task("operations.run", args=[str(operation_id)], retry=False, time_limit=limit_s)
    except OperationalError as error:
        log.warning("queue unreachable; the sweeper will bring the operation back", error=str(error))


def waiting() -> int:
    """How many messages no worker has taken yet. Raises kombu's OperationalError."""
    with current_app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        try:
            declared = channel.queue_declare(current_app.conf.task_default_queue, passive=True)
        except ChannelError:
            return 0  # an empty list is no key in Redis, so an empty queue is reported as missing
        return int(declared.message_count)
