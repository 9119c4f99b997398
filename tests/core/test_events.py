"""Hints on their way to browsers, on the real Redis."""

from __future__ import annotations

import os
import time

import pytest

from core import events
from tests.hints import Hints

pytestmark = pytest.mark.django_db(transaction=True)


def test_leave_in_the_order_in_which_they_were_said() -> None:
    said = [("thing", str(number)) for number in range(300)]
    with Hints() as hints:
        for kind, key in said:
            events.publish(kind, key)
            time.sleep(0.0005)  # so that some are said while others are being sent
        hints.end()
        heard = hints.in_order()

    assert heard == said


def test_one_that_could_not_be_sent_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    send = events._send_now

    async def stumble(kind: str, key: str) -> None:
        if key == "bad":
            raise RuntimeError("a defect")
        await send(kind, key)

    monkeypatch.setattr(events, "_send_now", stumble)
    with Hints() as hints:
        events.publish("thing", "bad")
        time.sleep(0.1)
        events.publish("thing", "good")
        hints.end()
        assert ("thing", "good") in hints.heard()


def test_a_forked_child_sends_its_own() -> None:
    events.publish("thing", "parent")
    with Hints() as hints:
        if (child := os.fork()) == 0:
            try:
                events.publish("thing", "child")
                time.sleep(1)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        hints.end()
        assert ("thing", "child") in hints.heard()
