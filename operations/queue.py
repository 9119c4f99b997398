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


def enqueue(operation_id: UUID) -> None:
    """Send the id, and remember that it was sent."""
    Operation.objects.filter(pk=operation_id).update(enqueued_at=Now())
    try:
        current_app.send_task("operations.run", args=[str(operation_id)], retry=False)
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
