"""The same form sent many times at the same moment."""

from __future__ import annotations

from uuid import uuid4

import pytest

from core.errors import Conflict, InvalidInput
from domains.actions.create import create
from domains.models import Domain
from domains.wishes import NewDomain
from hosts.models import Host
from operations.models import Operation
from storage.models import Pool, Volume
from tests.conftest import Cast
from tests.operations.test_lease import at_once


@pytest.fixture
def new(transactional_db: None, host: Host) -> NewDomain:
    space = {"capacity_bytes": 10**12, "available_bytes": 10**12}
    pool = Pool.objects.create(host=host, uuid=uuid4(), name="default", kind="dir", state="running", **space)
    return NewDomain(host=host, name="web1", vcpus=1, memory_mib=512, pool=pool, disk_gib=5)


def test_with_one_key_makes_one_machine(new: NewDomain, cast: Cast) -> None:
    outcomes = at_once(lambda: create(new=new, actor=cast.operator, idempotency_key="form"))
    assert {outcome.pk for outcome in outcomes} == {Operation.objects.get().pk}
    assert (Domain.objects.count(), Volume.objects.count()) == (1, 1)


def test_without_a_key_has_one_winner_and_leaves_nothing_else(new: NewDomain, cast: Cast) -> None:
    outcomes = at_once(lambda: create(new=new, actor=cast.operator), each=13)
    assert len(outcomes) > 100
    assert len([outcome for outcome in outcomes if isinstance(outcome, Operation)]) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, (Conflict, InvalidInput))]
    assert len(refused) == len(outcomes) - 1
    assert (Domain.objects.count(), Volume.objects.count()) == (1, 1)
