"""What emptying a host takes into account: who is there, who is on the way, and what can be brought back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from domains.actions.drain import drain
from domains.draining import Fate, last_done, running_on
from domains.models import Domain, DomainState
from hosts.models import Host
from operations.models import Operation, OperationState
from tests.conftest import Cast
from tests.stage import carry_out

ENDED = OperationState.SUCCEEDED
FAILED = OperationState.FAILED
ONE, TWO, THREE = (uuid4() for _ in range(3))


class Story:
    """What happened to a host, written as it stands in the database: each call is later than the one before."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.at = timezone.now() - timedelta(days=1)

    def add(self, kind: str, state: OperationState, **parts: list[UUID]) -> None:
        """An operation on the host, and those of its parts that succeeded, by the last words of their kinds."""
        whole = self._write(kind=kind, target_kind="host", target_id=self.host.uuid, state=state)
        for word, keys in parts.items():
            for key in keys:
                self._write(
                    kind=f"domain.{word}", target_kind="domain", target_id=key, state=ENDED, parent=whole
                )

    def _write(self, **values: Any) -> Operation:
        self.at += timedelta(minutes=1)
        row = Operation.objects.create(title="x", target_name="x", finished_at=self.at, **values)
        Operation.objects.filter(pk=row.pk).update(created_at=self.at)
        return row


@pytest.fixture
def story(host: Host) -> Story:
    return Story(host)


@pytest.mark.django_db
class TestLastDone:
    def test_adds_up_what_several_drainings_did(self, host: Host, story: Story) -> None:
        story.add("host.drain", FAILED, migrate=[ONE])
        story.add("host.drain", ENDED, migrate=[TWO], stop=[THREE])

        done = last_done(host)

        assert (set(done.moved), done.stopped) == ({str(ONE), str(TWO)}, [str(THREE)])

    def test_forgets_what_was_brought_back(self, host: Host, story: Story) -> None:
        story.add("host.drain", ENDED, migrate=[ONE])
        story.add("host.bring-back", ENDED, migrate=[ONE])
        assert not last_done(host)

        story.add("host.drain", ENDED, migrate=[TWO])
        assert last_done(host).moved == [str(TWO)]

    def test_remembers_what_a_bringing_back_left(self, host: Host, story: Story) -> None:
        story.add("host.drain", ENDED, migrate=[ONE, TWO], stop=[THREE])
        story.add("host.bring-back", FAILED, migrate=[ONE], start=[THREE])

        done = last_done(host)

        assert (done.moved, done.stopped) == ([str(TWO)], [])

    def test_offers_nothing_while_it_is_brought_back(self, host: Host, story: Story) -> None:
        story.add("host.drain", ENDED, migrate=[ONE])
        story.add("host.bring-back", OperationState.RUNNING)

        assert not last_done(host)


@pytest.mark.django_db
def test_who_is_asleep_or_kept_after_a_crash_is_still_there(host: Host) -> None:
    states = {"on": DomainState.RUNNING, "asleep": DomainState.SUSPENDED, "kept": DomainState.CRASHED}
    for number, (name, state) in enumerate(states.items()):
        Domain.objects.create(host=host, name=name, state=state, live_id=number)
    for name, state in {"off": DomainState.OFF, "gone": DomainState.CRASHED}.items():
        Domain.objects.create(host=host, name=name, state=state)

    assert [domain.name for domain in running_on(host)] == ["asleep", "kept", "on"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "place", "waits"),
    [
        ("domain.migrate", "target", True),
        ("domain.create", "host", True),
        ("domain.migrate", "source", False),
        ("domain.start", "host", False),
    ],
)
def test_waits_for_who_is_on_the_way(host: Host, cast: Cast, kind: str, place: str, waits: bool) -> None:  # noqa: FBT001
    coming = Operation.objects.create(
        kind=kind,
        title="Move web1 to kvm1",
        target_kind="domain",
        target_id=uuid4(),
        params={place: str(host.uuid)},
        state=OperationState.RUNNING,
    )
    asked = drain(host=host, fates={}, otherwise=Fate.MOVE, actor=cast.operator)

    begun = carry_out(asked.pk)

    if waits:
        assert begun.state == OperationState.QUEUED
        assert begun.message == "Waits for the end of this: Move web1 to kvm1"
        Operation.objects.filter(pk=coming.pk).update(state=ENDED)
        Operation.objects.filter(pk=asked.pk).update(not_before=None)
        begun = carry_out(asked.pk)
    assert begun.state == OperationState.SUCCEEDED, begun.error
