from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models.functions import Now

from hosts.models import Host
from operations import engine
from operations.models import Operation
from tests.operations.toys import Died, Toy


@pytest.fixture
def toy(transactional_db: None, host: Host, tmp_path: Path) -> Toy:
    return Toy(folder=tmp_path, host=host)


def carry_out(operation: Operation) -> Operation:
    """One attempt, as a worker makes it; a worker that dies leaves everything as it was."""
    with contextlib.suppress(Died):
        engine.execute(operation.pk)
    operation.refresh_from_db()
    return operation


def let_time_pass(operation: Operation) -> None:
    """The lease of a dead worker has run out, and the wait before the next attempt is over."""
    past = Now() - timedelta(seconds=1)
    Operation.objects.filter(pk=operation.pk, state="running").update(lease_until=past)
    Operation.objects.filter(pk=operation.pk, state="queued").update(not_before=past)


def carry_on(operation: Operation, *, attempts: int = 20) -> Operation:
    """Attempts until it ends."""
    for _ in range(attempts):
        if not carry_out(operation).active:
            return operation
        let_time_pass(operation)
    raise AssertionError(f"still {operation.state} after {attempts} attempts")
