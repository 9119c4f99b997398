"""Tries every line of the route × role table on a stage where each thing that an address can name exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse

from accounts.models import User
from core import live
from tests import routes, sent
from tests.conftest import browser_of, program_of
from tests.scenery import Stage

PARAMETERS = dict(routes.page_parameters(get_resolver()))


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
    data = {"data": sent.FORMS.get(line, ""), "content_type": "application/x-www-form-urlencoded"}
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
