"""A password once more, before what could ruin a host."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache
from django.http import HttpRequest
from django.test import RequestFactory

from accounts import proof
from accounts.models import User
from accounts.permissions import Role
from core.errors import InvalidInput
from tests.conftest import PASSWORD

Ask = Callable[..., HttpRequest]


@pytest.fixture
def ada(db: None) -> User:
    cache.clear()
    return User.objects.create_user("ada", password=PASSWORD, role=Role.SUPERUSER)


@pytest.fixture
def ask(ada: User) -> Ask:
    """A request of ada, in a login of theirs or of somebody else."""

    def make(*, login: str | None = None, session: Any = None, **headers: str) -> HttpRequest:
        request = RequestFactory().post("/", headers=headers)
        request.user = ada
        request.session = session if session is not None else SessionStore()
        request.session[SESSION_KEY] = login or str(ada.pk)
        request.session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        return request

    return make


def test_the_right_password_proves_it(ask: Ask, ada: User) -> None:
    assert proof.prove(ask(), PASSWORD).user == ada


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper()])
def test_another_does_not(ask: Ask, password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        proof.prove(ask(), password)
    assert refused.value.field == "password"


def test_a_login_remembers_it_for_a_while(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    request = ask()
    assert proof.fresh(request) is None
    proof.prove(request, PASSWORD)
    later = ask(session=request.session)
    assert proof.fresh(later) is not None
    assert proof.prove(later, "")

    past = time.time() + proof.FRESH.total_seconds() + 2
    monkeypatch.setattr("accounts.proof.time", lambda: past)
    assert proof.fresh(later) is None
    with pytest.raises(InvalidInput):
        proof.prove(later, "")


def test_a_wrong_password_is_not_made_good_by_a_fresh_proof(ask: Ask) -> None:
    request = ask()
    proof.prove(request, PASSWORD)
    with pytest.raises(InvalidInput):
        proof.prove(request, "wrong")


def test_a_token_is_asked_each_time_also_with_a_cookie_beside_it(ask: Ask) -> None:
    login = ask()
    proof.prove(login, PASSWORD)
    program = ask(session=login.session, authorization="Bearer x")
    assert proof.fresh(program) is None
    with pytest.raises(InvalidInput):
        proof.prove(program, "")
    assert proof.prove(program, PASSWORD)


def test_somebody_elses_login_proves_nothing(ask: Ask) -> None:
    mine = ask()
    proof.prove(mine, PASSWORD)
    assert proof.fresh(ask(login="4711", session=mine.session)) is None


def test_guessing_locks_the_person_out(ask: Ask) -> None:
    for _ in range(8):
        with pytest.raises(InvalidInput):
            proof.prove(ask(), "wrong")
    with pytest.raises(InvalidInput):
        proof.prove(ask(), PASSWORD)
