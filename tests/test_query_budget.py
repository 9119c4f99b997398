"""How many questions a page asks the database: `query_budget.json`, whose numbers may only shrink."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Entry
from domains.models import Domain, DomainDisk, DomainState
from hosts.models import Host, HostState
from networks.models import Network
from operations.models import Operation, OperationState
from storage.models import Pool, Volume
from tests.conftest import browser_of
from tests.scenery import Stage
from tests.test_routes import page_address

BUDGET: dict[str, int] = json.loads((Path(__file__).parent / "query_budget.json").read_text())
MANY = 30


def questions(stage: Stage, line: str) -> int:
    """Asked by the second request: the first one may fill caches."""
    who, page = line.split()
    browser, address = browser_of(stage.cast.people()[who]), page_address(stage, page)
    assert browser.get(address).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        browser.get(address)
    return len(asked)


def crowd(stage: Stage) -> None:
    """Many more of everything, on the stage's host and on others."""
    hosts = Host.objects.bulk_create(Host(name=f"host-{n}", state=HostState.UP) for n in range(MANY))
    for host in [stage.host, *hosts]:
        pool = Pool.objects.create(host=host, uuid=uuid4(), name="more", kind="dir", state="running")
        Volume.objects.bulk_create(Volume(pool=pool, name=f"{n}.img") for n in range(3))
        Network.objects.create(host=host, uuid=uuid4(), name="more")
    Volume.objects.bulk_create(Volume(pool=stage.pool, name=f"{n}.img") for n in range(MANY))
    owned = {"owner": stage.cast.lead, "team": stage.cast.team, "state": DomainState.RUNNING}
    machines = Domain.objects.bulk_create(
        Domain(host=host, name=f"vm-{n}", **owned) for n, host in enumerate([stage.host] * MANY + hosts)
    )
    DomainDisk.objects.bulk_create(
        DomainDisk(domain=machine, target="vda", device="disk") for machine in machines
    )
    Operation.objects.bulk_create(
        Operation(
            kind="domain.start",
            title="Start",
            target_kind="domain",
            target_id=machine.uuid,
            target_name=machine.name,
            actor=stage.cast.lead,
            team=stage.cast.team,
            state=OperationState.RUNNING if number % 2 else OperationState.FAILED,
        )
        for number, machine in enumerate(machines)
    )
    for machine in machines[:MANY]:
        Entry.objects.append(actor=stage.cast.lead, verb="domain.start", target=machine, label="", details={})


@pytest.mark.parametrize("line", BUDGET)
def test_a_page_keeps_to_its_budget_however_much_there_is(stage: Stage, line: str) -> None:
    Host.objects.create(name="second", state=HostState.UP)  # with a single one there is nothing to choose
    few = questions(stage, line)
    crowd(stage)
    many = questions(stage, line)
    assert many <= few + 1, "it grows with what there is"  # one more where a list has a second page
    assert max(few, many) == BUDGET[line], "more than allowed; or, where fewer: lower the number in the file"


def test_every_list_has_a_budget() -> None:
    lists = (
        "dashboard:overview",
        "domains:list",
        "hosts:list",
        "storage:list",
        "networks:list",
        "operations:list",
    )
    assert {f"superuser {page}" for page in lists} <= BUDGET.keys()
