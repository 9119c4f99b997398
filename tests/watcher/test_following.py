"""How long a host may take for an answer follows the line to it, and not one moment in which it was busy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import pytest

from hosts.models import Host
from hypervisor.isolated import Isolated
from hypervisor.uri import Address
from tests.lab.host import LabHost
from watcher.following import CALL_S, ROUND_TRIPS, Following

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

LATE_S = 0.5


@pytest.fixture
def following(lab_host: LabHost) -> Iterator[Following]:
    with Isolated.open(Address(socket=str(lab_host.socket)), deadline_s=20) as hypervisor:
        yield Following(Host(name="near"), hypervisor, _record, _hand_in)


def _record(
    write: Callable[Parameters, Result], /, *args: Parameters.args, **named: Parameters.kwargs
) -> Result:
    return write(*args, **named)


def _hand_in(*_: object) -> None:
    """Nobody takes samples here."""


@contextmanager
def busy(lab_host: LabHost) -> Iterator[None]:
    """Whatever is asked of the host meanwhile is answered late."""
    lab_host.freeze()
    over = threading.Timer(LATE_S, lab_host.thaw)
    over.start()
    yield
    over.join()


class TestPatience:
    def test_stays_the_same_after_one_late_answer(self, following: Following, lab_host: LabHost) -> None:
        following._feel()
        with busy(lab_host):
            following._feel()

        assert following.latency_s > LATE_S / 2
        assert following._hypervisor.deadline_s < CALL_S + ROUND_TRIPS * LATE_S / 2

    def test_grows_when_answers_stay_late(self, following: Following, lab_host: LabHost) -> None:
        for _ in range(2):
            with busy(lab_host):
                following._feel()

        assert following._hypervisor.deadline_s > CALL_S + ROUND_TRIPS * LATE_S / 2
