"""Signing in and out, and the lock against guessing; with the real database and Redis."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.core.cache import cache
from django.test import Client

from accounts.hashers import AT_ONCE, Argon2InTurn
from accounts.models import User
from accounts.permissions import Role
from audit.models import Entry
from tests.conftest import PASSWORD

SIGN_IN = "/account/sign-in"


@pytest.fixture
def ada(db: None) -> User:
    cache.clear()
    return User.objects.create_user("ada", password=PASSWORD, role=Role.OPERATOR)


def browser() -> Client:
    return Client(headers={"x-forwarded-proto": "https"})


def attempt(
    client: Client, password: str, *, name: str = "ada", address: str = "192.0.2.7", to: str = ""
) -> int:
    query = f"?next={to}" if to else ""
    data = {"username": name, "password": password, "next": to}
    return client.post(SIGN_IN + query, data, REMOTE_ADDR=address).status_code


def verbs() -> list[str]:
    return list(Entry.objects.order_by("pk").values_list("verb", flat=True))


class TestSignIn:
    def test_leads_to_the_overview_and_leaves_an_audit_row(self, ada: User) -> None:
        client = browser()

        answer = client.post(SIGN_IN, {"username": "ada", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")

        assert answer.headers["Location"] == "/"
        assert client.get("/").status_code == 200
        row = Entry.objects.get()
        assert (row.actor, row.verb, row.details) == (ada, "account.signed_in", {"address": "192.0.2.7"})

    def test_brings_a_person_back_to_where_they_were_going(self, ada: User) -> None:
        client = browser()
        door = client.get("/hosts/")

        assert door.headers["Location"] == "/account/sign-in?next=/hosts/"
        answer = client.post(SIGN_IN, {"username": "ada", "password": PASSWORD, "next": "/hosts/"})
        assert answer.headers["Location"] == "/hosts/"

    @pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
    def test_never_leads_to_another_site(self, ada: User, elsewhere: str) -> None:
        data = {"username": "ada", "password": PASSWORD, "next": elsewhere}

        assert browser().post(SIGN_IN, data).headers["Location"] == "/"

    def test_does_not_say_whether_the_name_or_the_password_was_wrong(self, ada: User) -> None:
        wrong_password = browser().post(SIGN_IN, {"username": "ada", "password": "x"})
        wrong_name = browser().post(SIGN_IN, {"username": "eve", "password": "x"})

        def words(page: bytes) -> bytes:
            return page[page.index(b"note-error") : page.index(b"<form")]

        assert words(wrong_password.content) == words(wrong_name.content)

    def test_refuses_who_was_shut_out(self, ada: User) -> None:
        User.objects.update(is_active=False)

        assert attempt(browser(), PASSWORD) == 200
        assert verbs() == ["account.failed"]

    def test_wants_the_csrf_token(self, ada: User) -> None:
        client = Client(enforce_csrf_checks=True, headers={"x-forwarded-proto": "https"})

        answer = client.post(SIGN_IN, {"username": "ada", "password": PASSWORD})

        assert answer.status_code == 403
        assert "too old" in answer.content.decode()

    def test_gives_a_new_session_so_that_none_can_be_planted(self, ada: User) -> None:
        client = browser()
        client.get(SIGN_IN)
        client.session["planted"] = "yes"
        before = client.session.session_key

        attempt(client, PASSWORD)

        assert client.session.session_key != before

    def test_its_cookie_is_bound_to_this_host_and_to_tls(self, ada: User) -> None:
        client = browser()
        attempt(client, PASSWORD)

        cookie = client.cookies["__Host-panel-session"]
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["path"] == "/"
        assert not cookie["domain"]


class TestLock:
    def test_comes_with_the_eighth_wrong_password_and_says_how_long(self, ada: User) -> None:
        client = browser()
        answers = [attempt(client, "wrong") for _ in range(8)]

        assert answers == [200] * 7 + [429]
        page = client.post(SIGN_IN, {"username": "ada", "password": "wrong"}, REMOTE_ADDR="192.0.2.7")
        assert "15 minutes" in page.content.decode()

    def test_refuses_the_right_password_too(self, ada: User) -> None:
        for _ in range(8):
            attempt(browser(), "wrong")

        assert attempt(browser(), PASSWORD) == 429

    def test_shuts_out_nobody_else(self, ada: User) -> None:
        User.objects.create_user("ben", password=PASSWORD)
        for _ in range(8):
            attempt(browser(), "wrong")

        assert attempt(browser(), PASSWORD, name="ben") == 302
        assert attempt(browser(), PASSWORD, address="192.0.2.8") == 302

    def test_is_written_down_once_however_long_somebody_goes_on(self, ada: User) -> None:
        for _ in range(12):
            attempt(browser(), "wrong")

        assert verbs() == ["account.failed"] * 7 + ["account.locked"]

    def test_counts_from_nothing_after_a_right_password(self, ada: User) -> None:
        for _ in range(7):
            attempt(browser(), "wrong")
        assert attempt(browser(), PASSWORD) == 302

        assert [attempt(browser(), "wrong") for _ in range(7)] == [200] * 7

    def test_no_password_is_written_down(self, ada: User) -> None:
        attempt(browser(), "swordfish-canary")

        assert "swordfish-canary" not in str(Entry.objects.values_list())


class TestSignOut:
    def test_ends_the_session_and_leaves_an_audit_row(self, ada: User) -> None:
        client = browser()
        attempt(client, PASSWORD)

        answer = client.post("/account/sign-out")

        assert answer.headers["Location"] == SIGN_IN
        assert client.get("/").status_code == 302
        assert verbs()[-1] == "account.signed_out"

    def test_refuses_get(self, ada: User) -> None:
        client = browser()
        attempt(client, PASSWORD)

        assert client.get("/account/sign-out").status_code == 405
        assert client.get("/").status_code == 200


class TestHashing:
    @pytest.fixture(autouse=True)
    def cheap_passwords(self) -> None:
        """Here they cost what they cost people."""

    def test_is_argon2id_at_the_cost_that_django_sets(self) -> None:
        made = Argon2InTurn().decode(make_password(PASSWORD))

        assert made["variety"] == "argon2id"
        assert made["memory_cost"] == Argon2PasswordHasher.memory_cost >= 100 * 1024
        assert made["time_cost"] == Argon2PasswordHasher.time_cost

    def test_strangers_cannot_ask_for_more_memory_than_a_few_hashes_take(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running, most = set(), []

        def slow(self: Argon2PasswordHasher, password: str, salt: str) -> str:
            running.add(password)
            most.append(len(running))
            time.sleep(0.02)
            running.discard(password)
            return ""

        monkeypatch.setattr(Argon2PasswordHasher, "encode", slow)
        with ThreadPoolExecutor(8) as strangers:
            list(strangers.map(lambda number: make_password(str(number)), range(8)))

        assert max(most) == AT_ONCE
