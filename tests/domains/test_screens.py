"""A machine's page shows a small picture of its screen; nobody looking, nothing taken."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from uuid import UUID

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from PIL import Image

from domains import screens
from domains.inventory import record_domain
from domains.models import Domain
from domains.tasks import screenshot
from hosts.connections import borrow
from hosts.models import Host
from hypervisor.facts import DomainState
from tests.conftest import Cast, browser_of
from tests.domains.facts import domain_facts
from tests.eventually import eventually
from tests.hints import Hints
from tests.lab.host import LabHost
from tests.lab.machines import machine

PICTURE = b"not looked at here"


@pytest.fixture
def queue() -> Iterator[redis.Redis]:
    """The workers' queue, empty."""
    with redis.Redis.from_url(settings.REDIS_URL) as connection:
        connection.delete("panel")
        cache.clear()
        yield connection
        connection.delete("panel")


@pytest.fixture
def running(host: Host, cast: Cast) -> Domain:
    domain = record_domain(host, domain_facts(state=DomainState.RUNNING, live_id=4))
    Domain.objects.update(team=cast.team)
    return domain


def page(uuid: UUID) -> str:
    return f"/machines/{uuid}/screen/"


class TestLooking:
    def test_does_not_exist_for_a_stranger(self, cast: Cast, running: Domain, queue: redis.Redis) -> None:
        assert browser_of(cast.stranger).get(page(running.uuid)).status_code == 404
        assert queue.llen("panel") == 0

    def test_asks_for_a_picture_once_however_many_look(
        self, cast: Cast, running: Domain, queue: redis.Redis
    ) -> None:
        for person in (cast.operator, cast.member, cast.member):
            answer = browser_of(person).get(page(running.uuid))
            assert (answer.status_code, answer.content) == (204, b"")

        assert queue.llen("panel") == 1

    def test_shows_the_latest_and_nothing_twice(
        self, operator: Client, running: Domain, queue: redis.Redis
    ) -> None:
        screens.keep(running, PICTURE)

        first = operator.get(page(running.uuid))
        second = operator.get(page(running.uuid), headers={"if-none-match": first["ETag"]})

        assert (first.status_code, first.content, first["Content-Type"]) == (200, PICTURE, "image/webp")
        assert second.status_code == 304

    def test_does_not_show_the_run_before(
        self, operator: Client, host: Host, running: Domain, queue: redis.Redis
    ) -> None:
        screens.keep(running, PICTURE)
        record_domain(host, domain_facts(uuid=running.uuid, state=DomainState.RUNNING, live_id=5))

        assert operator.get(page(running.uuid)).status_code == 204

    def test_takes_no_picture_of_a_machine_that_is_off(
        self, operator: Client, host: Host, queue: redis.Redis
    ) -> None:
        off = record_domain(host, domain_facts())

        assert operator.get(page(off.uuid)).status_code == 204
        assert queue.llen("panel") == 0


class TestTaking:
    @pytest.fixture
    def adopted(self, real_host: Host, lab_host: LabHost) -> Iterator[Domain]:
        with machine(lab_host, "web1") as made, borrow(real_host) as hypervisor:
            made.virsh("start")
            yield record_domain(real_host, hypervisor.read_domain(made.uuid))

    def test_a_small_picture_that_is_told(self, adopted: Domain) -> None:
        with Hints() as hints:
            eventually(partial(self._taken, adopted), within_s=5)
            hints.end()

            assert ("screen", str(adopted.uuid)) in hints.heard()
        with Image.open(BytesIO(screens.latest(adopted) or b"")) as picture:
            assert picture.format == "WEBP"
            assert 0 < picture.width <= 640

    def test_nothing_of_a_machine_that_went_off_meanwhile(self, adopted: Domain, lab_host: LabHost) -> None:
        lab_host.virsh("destroy", str(adopted.uuid))

        screenshot(str(adopted.uuid))

        assert screens.latest(adopted) is None

    def _taken(self, domain: Domain) -> bool:
        """QEMU has no picture in the first moments of a run."""
        screenshot(str(domain.uuid))
        return screens.latest(domain) is not None
