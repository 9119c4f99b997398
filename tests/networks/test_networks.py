"""Networks: as hosts tell them, with who is plugged in."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core import live
from domains.models import Domain, DomainNic, DomainState
from hosts.models import Host
from hypervisor.facts import NetworkFacts
from networks.inventory import record_networks
from networks.models import Network
from tests.conftest import Cast, browser_of
from tests.hints import Hints
from tests.lab.host import LabHost
from tests.stage import adopt

pytestmark = pytest.mark.django_db


def facts(name: str = "default", **different: Any) -> NetworkFacts:
    values: dict[str, Any] = {
        "uuid": uuid4(),
        "name": name,
        "active": True,
        "persistent": True,
        "autostart": True,
        "bridge": "virbr0",
        "forward_mode": "nat",
        "dns_domain": "",
        "addresses": ("192.0.2.1/24",),
        "dhcp_ranges": (("192.0.2.2", "192.0.2.254"),),
    }
    return NetworkFacts(**{**values, **different})


@pytest.fixture
def network(host: Host) -> Network:
    record_networks(host, [facts("<b>net</b>")])
    return Network.objects.get()


class TestInventory:
    def test_appear_vanish_and_come_back(self, host: Host) -> None:
        first, second = facts("first"), facts("second")
        record_networks(host, [first, second])
        record_networks(host, [second])
        assert [network.name for network in Network.objects.present()] == ["second"]
        record_networks(host, [first, second])
        assert Network.objects.present().count() == Network.objects.count() == 2

    def test_what_did_not_change_is_not_told(
        self, host: Host, django_capture_on_commit_callbacks: Any
    ) -> None:
        steady, other = facts("steady"), facts("other")
        record_networks(host, [steady, other])
        with Hints() as hints:
            with django_capture_on_commit_callbacks(execute=True):
                record_networks(host, [steady, facts("other", uuid=other.uuid, active=False)])
                hints.end()
            assert hints.heard() == {("network", str(other.uuid)), ("networks", "all")}

    def test_hundreds_take_as_many_queries_as_one(self, host: Host) -> None:
        def queries(count: int) -> int:
            many = [facts(f"net{number}") for number in range(count)]
            record_networks(host, many)
            with CaptureQueriesContext(connection) as captured:
                record_networks(host, many)
            return len(captured)

        assert queries(1) == queries(300)


@pytest.mark.django_db(transaction=True)
def test_a_real_host_tells_its_default_network(lab_host: LabHost) -> None:
    network = Network.objects.get(host=adopt(lab_host), name="default")
    assert network.active
    assert network.bridge == lab_host.bridge
    assert network.forward_mode == "nat"
    assert len(network.addresses) == 1
    assert len(network.dhcp_ranges[0]) == 2


class TestPages:
    def test_who_sees_them(self, cast: Cast, network: Network) -> None:
        for name, user in cast.people().items():
            allowed = name in ("superuser", "operator", "auditor")
            browser = browser_of(user)
            assert browser.get(reverse("networks:list")).status_code == (200 if allowed else 403), name
            assert browser.get(network.get_absolute_url()).status_code == (200 if allowed else 404), name
            for path, refusal in (("networks", 403), (f"networks/{network.uuid}", 404)):
                assert browser.get(f"/api/v1/{path}").status_code == (200 if allowed else refusal), name

    def test_live_pieces(self, cast: Cast, network: Network) -> None:
        for kind, key in (("networks", "all"), ("network", str(network.uuid))):
            topic = live.topic(kind)
            assert topic is not None
            assert topic.render(cast.auditor, key) == ""
            assert topic.render(cast.stranger, key) is None
            assert topic.render(cast.auditor, "nonsense") is None

    def test_names_are_text(self, operator: Client, network: Network) -> None:
        for page in (reverse("networks:list"), network.get_absolute_url()):
            text = operator.get(page).content.decode()
            assert "&lt;b&gt;net&lt;/b&gt;" in text
            assert "<b>net" not in text

    def test_who_is_plugged_in_by_network_or_by_bridge(
        self, operator: Client, host: Host, network: Network
    ) -> None:
        for name, source in (("web1", network.name), ("web2", "virbr0"), ("web3", "other")):
            domain = Domain.objects.create(host=host, uuid=uuid4(), name=name, state=DomainState.RUNNING)
            DomainNic.objects.create(
                domain=domain, mac="52:54:00:00:00:01", kind="network", source=source, model="virtio"
            )
        page = operator.get(network.get_absolute_url()).content.decode()
        assert ">web1</a>" in page
        assert ">web2</a>" in page
        assert "web3" not in page

    def test_one_that_is_gone_is_nowhere(self, operator: Client, host: Host, network: Network) -> None:
        address = network.get_absolute_url()
        record_networks(host, [])
        assert operator.get(address).status_code == 404
        assert "No networks yet" in operator.get(reverse("networks:list")).content.decode()
