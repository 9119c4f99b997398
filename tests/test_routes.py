"""Tries every line of the route × role table on a stage where each thing that an address can name exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse

from accounts.models import ApiToken, User
from core import live
from domains.models import Domain, DomainState
from hosts.models import Host
from networks.models import Network
from operations.models import Operation, OperationState
from storage.models import Pool, Upload, Volume
from tests import routes
from tests.conftest import Cast, browser_of, program_of

PARAMETERS = dict(routes.page_parameters(get_resolver()))


@dataclass(frozen=True)
class Stage:
    """The cast and one of each thing: the machine is the lead's and their team's, so is its operation."""

    cast: Cast
    host: Host
    pool: Pool
    network: Network
    volume: Volume
    upload: Upload
    domain: Domain
    operation: Operation
    token: ApiToken

    def value(self, where: str, parameter: str) -> Any:
        """What stands in an address for `parameter`; `where` is a page's name or a REST path."""
        things: dict[str, Any] = {
            r"host": self.host.uuid,
            r"storage:(pool|new_volume|refresh)|/storage/pools": self.pool.uuid,
            r"storage:.*upload|/uploads": self.upload.uuid,
            r"storage:.*volume|/volumes": self.volume.uuid,
            r"networks": self.network.uuid,
            r"domains|console": self.domain.uuid,
            r"operations": self.operation.pk,
            r"token": self.token.pk,
            r"team|member": self.cast.team.pk,
            r"person|people|password": self.cast.member.pk,
        }
        if parameter == "verb":
            return "start"
        if parameter in ("member", "person_id"):
            return self.cast.member.pk
        return next(key for pattern, key in things.items() if re.search(pattern, where))

    def body(self, line: str) -> str:
        """What a REST call sends."""
        things = {"HOST": self.host.uuid, "POOL": self.pool.uuid, "PERSON": self.cast.member.pk}
        text = json.dumps(routes.BODIES.get(line, {}))
        for word, key in things.items():
            text = text.replace(word, str(key))
        return text

    def key(self, kind: str) -> str:
        """What a page watches of a live topic; a list of everything is watched as "all"."""
        keys: dict[str, Any] = {
            r"operations|domains|storage|networks|overview-.*": "all",
            r"drawer": self.cast.lead.pk,
            r"operation.*|upload-storing": self.operation.pk,
            r"host.*": self.host.uuid,
            r"network.*": self.network.uuid,
            r"uploads": self.cast.operator.pk,
            r"pool": self.pool.uuid,
            r"domain-.*|console-.*|screen": self.domain.uuid,
        }
        return str(next(key for pattern, key in keys.items() if re.fullmatch(pattern, kind)))


@pytest.fixture
def stage(cast: Cast, host: Host) -> Stage:
    space = {"capacity_bytes": 10**12, "available_bytes": 10**12}
    pool = Pool.objects.create(host=host, uuid=uuid4(), name="default", kind="dir", state="running", **space)
    domain = Domain.objects.create(
        host=host, name="web1", owner=cast.lead, team=cast.team, state=DomainState.OFF, has_screen=True
    )
    return Stage(
        cast=cast,
        host=host,
        pool=pool,
        network=Network.objects.create(host=host, uuid=uuid4(), name="default", active=True),
        volume=Volume.objects.create(pool=pool, name="old.iso", label="old"),
        upload=Upload.objects.create(owner=cast.operator, pool=pool, filename="new.iso", size_bytes=1),
        domain=domain,
        operation=Operation.objects.create(
            kind="domain.start",
            title="Start web1",
            target_kind="domain",
            target_id=uuid4(),
            target_name="web1",
            actor=cast.lead,
            team=cast.team,
            state=OperationState.RUNNING,
        ),
        token=ApiToken.objects.create(user=cast.operator, name="program", digest="0" * 64),
    )


@contextmanager
def undone() -> Iterator[None]:
    """Whatever a request changes is not there for the next one."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def page_address(stage: Stage, name: str) -> str:
    return reverse(name, kwargs={part: stage.value(name, part) for part in PARAMETERS[name]})


def rest_address(stage: Stage, path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: str(stage.value(path, match[1])), path)


def answers(stage: Stage, method: str, address: str, browser: Any, data: Any) -> str:
    """One status per role."""
    statuses = []
    for person in stage.cast.people().values():
        with undone():
            statuses.append(str(browser(person).generic(method, address, **data).status_code))
    return " ".join(statuses)


@pytest.mark.parametrize("line", routes.PAGES)
def test_page(stage: Stage, line: str) -> None:
    method, name = line.split()
    data = {"data": routes.FORMS.get(line, ""), "content_type": "application/x-www-form-urlencoded"}
    assert answers(stage, method, page_address(stage, name), browser_of, data) == routes.PAGES[line]


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_page_wants_a_signed_in_person(stage: Stage, name: str) -> None:
    answer = Client(headers={"x-forwarded-proto": "https"}).get(page_address(stage, name))
    if name in routes.OPEN:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/account/sign-in")


@pytest.mark.parametrize("name", sorted(PARAMETERS.keys() - routes.OPEN))
def test_page_refuses_other_methods(stage: Stage, name: str) -> None:
    listed = {method for method, page in map(str.split, routes.PAGES) if page == name}
    for method in {"GET", "POST", "DELETE"} - listed:
        answer = browser_of(stage.cast.superuser).generic(method, page_address(stage, name))
        assert answer.status_code == 405, method


@pytest.mark.parametrize("line", routes.REST)
def test_rest_call(stage: Stage, line: str) -> None:
    method, path = line.split()
    data = {"data": stage.body(line), "content_type": "application/json"}
    assert answers(stage, method, rest_address(stage, path), program_of, data) == routes.REST[line]


@pytest.mark.parametrize("line", routes.REST)
def test_rest_call_wants_a_token(stage: Stage, line: str) -> None:
    method, path = line.split()
    answer = Client(headers={"x-forwarded-proto": "https"}).generic(method, rest_address(stage, path))
    assert answer.status_code == 401


@pytest.mark.parametrize("kind", routes.TOPICS)
def test_live_topic(stage: Stage, kind: str) -> None:
    topic = live.topic(kind)
    assert topic is not None

    def told(person: User) -> bool:
        return topic.render(person, stage.key(kind)) is not None

    heard = " ".join("yes" if told(person) else "no" for person in stage.cast.people().values())
    assert heard == routes.TOPICS[kind]
