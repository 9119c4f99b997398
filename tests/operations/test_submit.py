"""Asking for work: once per click, one at a time per target, and safe with the queue."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery, current_app
from django.db.models.functions import Now

from core.errors import Conflict, TargetBusy
from hosts.models import Host
from kvmpanel.celery import app as site
from operations import journal, queue
from operations.actions import earlier, once
from operations.models import Operation
from operations.tasks import sweep
from tests.conftest import Cast
from tests.operations.conftest import carry_out
from tests.operations.test_lease import THREADS, at_once
from tests.operations.toys import Toy


class TestTarget:
    def test_one_at_a_time(self, toy: Toy) -> None:
        first = toy.ask()
        with pytest.raises(TargetBusy) as busy:
            toy.ask()
        assert busy.value.operation_id == str(first.pk)
        carry_out(first)
        toy.ask()

    def test_the_race_has_one_winner(self, toy: Toy) -> None:
        outcomes = at_once(toy.ask)
        assert len([outcome for outcome in outcomes if isinstance(outcome, Operation)]) == 1
        assert len([outcome for outcome in outcomes if isinstance(outcome, TargetBusy)]) == THREADS - 1


class TestIdempotencyKey:
    def test_the_same_click_is_the_same_operation(self, toy: Toy, cast: Cast) -> None:
        first = toy.ask(actor=cast.operator, key="k")
        assert toy.ask(actor=cast.operator, key="k") == first
        carry_out(first)
        assert toy.ask(actor=cast.operator, key="k") == first, "also when it has ended"

    def test_the_race_has_one_operation(self, toy: Toy, cast: Cast) -> None:
        outcomes = at_once(lambda: toy.ask(actor=cast.operator, key="k"))
        assert {outcome.pk for outcome in outcomes} == {Operation.objects.get().pk}

    def test_somebody_elses_key_is_refused(self, toy: Toy, cast: Cast) -> None:
        carry_out(toy.ask(actor=cast.operator, key="k"))
        with pytest.raises(Conflict, match="used before"):
            toy.ask(actor=cast.superuser, key="k")

    def test_a_key_for_something_else_is_refused(self, toy: Toy, cast: Cast) -> None:
        first = carry_out(toy.ask(actor=cast.operator, key="k"))
        other = Host.objects.create(name="other")

        assert earlier(cast.operator, "k", "toy.put", toy.host) == first
        assert earlier(cast.operator, "k", "toy.put") == first, "what makes its target has none to compare"
        for kind, target in (("toy.put", other), ("toy.take", toy.host)):
            with pytest.raises(Conflict, match="for something else"):
                earlier(cast.operator, "k", kind, target)
        with pytest.raises(Conflict, match="for something else"):
            once(cast.operator, "k", toy.ask, kind="toy.take")
        with pytest.raises(Conflict, match="for something else"):
            replace(toy, host=other).ask(actor=cast.operator, key="k")

    def test_the_race_leaves_no_reservation(self, toy: Toy, cast: Cast) -> None:
        def reserve_and_ask() -> Operation:
            host = Host.objects.create(name=str(uuid4()))
            return replace(toy, host=host).ask(actor=cast.operator, key="k")

        outcomes = at_once(lambda: once(cast.operator, "k", reserve_and_ask, kind="toy.put"))
        assert {outcome.pk for outcome in outcomes} == {Operation.objects.get().pk}
        assert Host.objects.exclude(pk=toy.host.pk).count() == 1


class TestQueue:
    def test_a_message_carries_the_id_and_nothing_else(self, toy: Toy) -> None:
        empty_queue()
        operation = toy.ask()
        with current_app.connection_for_read() as line:
            message = line.SimpleQueue(current_app.conf.task_default_queue).get(timeout=5)
        assert message.payload[:2] == [[str(operation.pk)], {}]
        message.ack()

    def test_a_dead_queue_keeps_nobody_from_asking(self, toy: Toy, tmp_path: Path) -> None:
        nowhere = Celery("nowhere", set_as_current=False)
        nowhere.config_from_object("kvmpanel.queue")
        nowhere.conf.update(broker_url=f"redis+socket://{tmp_path}/no.sock")
        nowhere.set_current()
        asked_at = time.monotonic()
        try:
            operation = toy.ask()
        finally:
            site.set_current()
        assert time.monotonic() - asked_at < 1, "nobody waits for a queue"
        assert queue.waiting() == 0
        assert operation.pk in journal.lost(silent_for=timedelta(0))


class TestSweep:
    def test_brings_back_what_the_queue_lost(self, toy: Toy) -> None:
        operation = toy.ask()
        empty_queue()
        age(operation, journal.SILENT)
        sweep()
        assert queue.waiting() == 1

    def test_leaves_alone_what_was_sent_just_now(self, toy: Toy) -> None:
        toy.ask()
        empty_queue()
        sweep()
        assert queue.waiting() == 0

    def test_does_not_feed_a_queue_that_is_only_long(self, toy: Toy) -> None:
        operation = toy.ask()
        age(operation, journal.SILENT)
        sweep()
        assert queue.waiting() == 1, "the first message is still there; a second would not help"
        age(operation, journal.SILENT_IN_QUEUE)
        sweep()
        assert queue.waiting() == 2, "but nothing waits for ever"

    def test_finds_what_a_dead_worker_held(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 0": "died"}))
        assert journal.lost(silent_for=timedelta(0)) == []
        Operation.objects.update(lease_until=Now() - timedelta(seconds=1))
        assert journal.lost(silent_for=timedelta(0)) == [operation.pk]

    def test_waits_for_the_time_of_the_next_attempt(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 0": "unreachable"}))
        assert journal.lost(silent_for=timedelta(0)) == []
        Operation.objects.update(not_before=Now())
        assert journal.lost(silent_for=timedelta(0)) == [operation.pk]


@pytest.fixture(autouse=True)
def _quiet_queue(toy: Toy) -> None:
    empty_queue()


def empty_queue() -> None:
    current_app.control.purge()


def age(operation: Operation, by: timedelta) -> None:
    """Its message was sent that long ago, and a moment more."""
    sent = Now() - by - timedelta(seconds=1)
    Operation.objects.filter(pk=operation.pk).update(enqueued_at=sent)
