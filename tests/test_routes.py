"""Tries every line of the route × role table on a stage where each thing that an address can name exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from core import live
from tests import routes, sent
from tests.conftest import browser_of, make_cast, make_host, program_of
from tests.scenery import Stage, make_stage

pytestmark = pytest.mark.django_db

PARAMETERS = dict(routes.page_parameters(get_resolver()))


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Stage]:
    """Made once for all lines of the table; each of them leaves it as it was."""
    with django_db_blocker.unblock(), undone():
        yield make_stage(make_cast(), make_host())


@pytest.fixture(scope="module")
def entrances(stage: Stage, django_db_blocker: DjangoDbBlocker) -> Entrances:
    with django_db_blocker.unblock():
        people = stage.cast.people().values()
        return Entrances(
            sessions={one.pk: browser_of(one).cookies for one in people},
            programs={one.pk: program_of(one) for one in people},
        )


@dataclass(frozen=True)
class Entrances:
    """Everybody of the cast signed in once, by browser and by token."""

    sessions: dict[int, SimpleCookie]
    programs: dict[int, Client]

    def browser(self, person: User) -> Client:
        """One of its own for each request: an answer may take its cookies away."""
        client = Client(headers={"x-forwarded-proto": "https"})
        client.cookies = SimpleCookie(
            {name: morsel.value for name, morsel in self.sessions[person.pk].items()}
        )
        return client

    def program(self, person: User) -> Client:
        """Calls the REST interface as them."""
        return self.programs[person.pk]


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


def answers(stage: Stage, method: str, address: str, door: Callable[[User], Client], data: Any) -> str:
    """One status per role."""
    statuses = []
    for person in stage.cast.people().values():
        with undone():
            statuses.append(str(door(person).generic(method, address, **data).status_code))
    return " ".join(statuses)


@pytest.mark.parametrize("line", routes.PAGES)
def test_page(stage: Stage, entrances: Entrances, line: str) -> None:
    method, name = line.split()
    data = {"data": sent.FORMS.get(line, ""), "content_type": "application/x-www-form-urlencoded"}
    assert answers(stage, method, page_address(stage, name), entrances.browser, data) == routes.PAGES[line]


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_page_wants_a_signed_in_person(stage: Stage, name: str) -> None:
    answer = Client(headers={"x-forwarded-proto": "https"}).get(page_address(stage, name))
    if name in routes.OPEN:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/account/sign-in")


@pytest.mark.parametrize("name", sorted(PARAMETERS.keys() - routes.OPEN))
def test_page_refuses_other_methods(stage: Stage, entrances: Entrances, name: str) -> None:
    listed = {method for method, page in map(str.split, routes.PAGES) if page == name}
    for method in {"GET", "POST", "DELETE"} - listed:
        answer = entrances.browser(stage.cast.superuser).generic(method, page_address(stage, name))
        assert answer.status_code == 405, method


@pytest.mark.parametrize("line", routes.REST)
def test_rest_call(stage: Stage, entrances: Entrances, line: str) -> None:
    method, path = line.split()
    data = {"data": stage.body(line), "content_type": "application/json"}
    assert answers(stage, method, rest_address(stage, path), entrances.program, data) == routes.REST[line]


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
