"""The live socket at its door, and what it tells; with the real Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import channel_layers, get_channel_layer
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from accounts.permissions import Role
from core import events
from hosts import inventory
from hosts.models import Host, HostState
from tests.conftest import PASSWORD, browser_of
from tests.core.tab import Tab

NEW = "another horse battery"
Scenario = Callable[[Tab], Awaitable[None]]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    cache.clear()
    yield
    channel_layers.backends = {}


@pytest.fixture
def op() -> User:
    return User.objects.create_user("op", role=Role.OPERATOR)


@pytest.fixture
def kvm1() -> Host:
    return Host.objects.create(name="kvm1", state=HostState.UP)


def accepted(tab: Tab) -> bool:
    async def knock() -> bool:
        let_in = await tab.connect()
        await tab.disconnect()
        await get_channel_layer().flush()
        return let_in

    return async_to_sync(knock)()


def play(browser: Client, scenario: Scenario) -> None:
    """Open a tab, and play `scenario` in it. Database calls in it run on this thread."""

    async def whole() -> None:
        tab = Tab(browser)
        assert await tab.connect()
        await scenario(tab)
        await tab.disconnect()
        await get_channel_layer().flush()

    async_to_sync(whole)()


class TestDoor:
    def test_lets_in_who_is_signed_in(self, op: User) -> None:
        assert accepted(Tab(browser_of(op)))

    def test_refuses_who_is_not(self) -> None:
        assert not accepted(Tab(None))

    @pytest.mark.parametrize(
        "origin",
        [
            None,
            "null",
            "",
            "https://evil.example",
            "http://localhost:8443",
            "https://localhost",
            "https://localhost:8443.evil.example",
        ],
    )
    def test_refuses_every_other_origin(self, op: User, origin: str | None) -> None:
        assert not accepted(Tab(browser_of(op), origin=origin))

    def test_takes_no_origin_from_the_host_header(self, op: User) -> None:
        evil = Tab(browser_of(op), origin="https://evil.example", host="evil.example")

        assert not accepted(evil)


class TestWatching:
    def test_a_change_is_drawn_and_sent(self, op: User, kvm1: Host) -> None:
        async def scenario(tab: Tab) -> None:
            assert await tab.say(watch=[f"host-row:{kvm1.uuid}"], age=0) == {"watching": 1}
            await sync_to_async(inventory.record_lost)(kvm1, "<b>gone</b>")
            told = await tab.hear()
            assert told["topic"] == f"host-row:{kvm1.uuid}"
            assert "Unreachable" in told["html"]

        play(browser_of(op), scenario)

    def test_what_comes_from_a_host_is_text(self, op: User, kvm1: Host) -> None:
        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[f"host:{kvm1.uuid}"], age=0)
            await sync_to_async(inventory.record_lost)(kvm1, "<script>alert(1)</script>")
            html = (await tab.hear())["html"]
            assert "<script>" not in html
            assert "&lt;script&gt;" in html

        play(browser_of(op), scenario)

    def test_one_event_draws_every_piece_about_it(self, op: User, kvm1: Host) -> None:
        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[f"host:{kvm1.uuid}", f"host-row:{kvm1.uuid}"], age=0)
            await sync_to_async(inventory.tell)(kvm1)
            told = {(await tab.hear())["topic"] for _ in range(2)}
            assert told == {f"host:{kvm1.uuid}", f"host-row:{kvm1.uuid}"}

        play(browser_of(op), scenario)

    def test_what_is_no_longer_watched_is_not_told(self, op: User, kvm1: Host) -> None:
        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[f"host:{kvm1.uuid}"], age=0)
            await tab.say(watch=["overview-hosts:all"], age=0)
            await sync_to_async(inventory.tell)(kvm1)
            assert (await tab.hear())["topic"] == "overview-hosts:all"
            assert await tab.hears_nothing(for_s=0.3)

        play(browser_of(op), scenario)

    def test_a_stranger_is_told_that_it_is_gone(self, kvm1: Host) -> None:
        stranger = User.objects.create_user("stranger")

        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[f"host:{kvm1.uuid}"], age=0)
            await sync_to_async(inventory.tell)(kvm1)
            assert await tab.hear() == {"gone": f"host:{kvm1.uuid}"}

        play(browser_of(stranger), scenario)

    def test_a_role_lost_counts_with_the_next_change(self, op: User, kvm1: Host) -> None:
        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[f"host:{kvm1.uuid}"], age=0)
            await sync_to_async(User.objects.update)(role=Role.REQUESTER)
            await sync_to_async(inventory.tell)(kvm1)
            assert await tab.hear() == {"gone": f"host:{kvm1.uuid}"}

        play(browser_of(op), scenario)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x",
            "[]",
            "{}",
            '{"watch": "host:1"}',
            '{"watch": ["nothing:1"]}',
            '{"watch": ["host:"]}',
            '{"watch": ["host:a b"]}',
            '{"watch": ["host:1*"]}',
            '{"watch": ["host:' + "1" * 65 + '"]}',
            '{"watch": [], "age": "1"}',
            json.dumps({"watch": [f"host:{n}" for n in range(401)]}),
            json.dumps({"watch": ["host:1"], "x": "y" * 70_000}),
        ],
    )
    def test_what_is_not_understood_ends_it(self, op: User, text: str) -> None:
        async def scenario(tab: Tab) -> None:
            await tab.send(text)
            assert await tab.closed_with() == 4400

        play(browser_of(op), scenario)

    def test_a_ping_is_answered(self, op: User) -> None:
        async def scenario(tab: Tab) -> None:
            assert await tab.say(ping=1) == {"pong": 1}

        play(browser_of(op), scenario)


class TestCatchingUp:
    def changed(self, host: Host) -> None:
        inventory.record_lost(host, "gone")
        deadline = time.monotonic() + 5
        while not events.changed_within([events.group("host", host.uuid)], 60):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_a_change_between_drawing_and_watching_is_sent_at_once(self, op: User, kvm1: Host) -> None:
        self.changed(kvm1)

        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[f"host-row:{kvm1.uuid}"], age=5000)
            assert "Unreachable" in (await tab.hear())["html"]

        play(browser_of(op), scenario)

    def test_an_older_change_is_on_the_page_already(self, op: User, kvm1: Host) -> None:
        self.changed(kvm1)
        time.sleep(0.05)

        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[f"host-row:{kvm1.uuid}"], age=10)
            assert await tab.hears_nothing(for_s=0.3)

        play(browser_of(op), scenario)

    def test_what_was_watched_before_is_not_sent_again(self, op: User, kvm1: Host) -> None:
        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[f"host-row:{kvm1.uuid}"], age=0)
            await sync_to_async(inventory.tell)(kvm1)
            await tab.hear()
            await tab.say(watch=[f"host-row:{kvm1.uuid}", "overview-domains:all"], age=5000)
            assert await tab.hears_nothing(for_s=0.3)

        play(browser_of(op), scenario)

    def test_after_too_long_the_page_is_told_to_read_itself_again(self, op: User) -> None:
        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[], age=3_600_000)
            assert await tab.hear() == {"stale": True}

        play(browser_of(op), scenario)


class TestEnd:
    def test_comes_with_the_sign_out(self, op: User) -> None:
        browser = browser_of(op)

        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[], age=0)
            await sync_to_async(browser.post)("/account/sign-out")
            assert await tab.closed_with() == 4401

        play(browser, scenario)

    def test_another_logins_sign_out_is_none(self, op: User) -> None:
        other = browser_of(op)

        async def scenario(tab: Tab) -> None:
            await tab.say(watch=[], age=0)
            await sync_to_async(other.post)("/account/sign-out")
            assert await tab.hears_nothing(for_s=0.5)

        play(browser_of(op), scenario)

    def test_comes_with_a_new_password_but_for_the_login_that_gave_it(self, op: User) -> None:
        op.set_password(PASSWORD)
        op.save()
        here, elsewhere = browser_of(op), browser_of(op)

        async def change(old: str, new: str) -> None:
            data = {"old_password": old, "password": new}
            await sync_to_async(here.post)("/account/password", data)

        async def ends(tab: Tab) -> None:
            await tab.say(watch=[], age=0)
            await change(PASSWORD, NEW)
            assert await tab.closed_with() == 4401

        async def comes_again_with_its_new_key(tab: Tab) -> None:
            await tab.say(watch=[], age=0)
            await change(NEW, PASSWORD)
            assert await tab.closed_with() == 4402

        play(elsewhere, ends)
        play(here, comes_again_with_its_new_key)
        assert accepted(Tab(here))
