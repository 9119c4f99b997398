"""What a host's page says of what lies on it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from domains.models import Domain, DomainState, Duplicate
from hosts.models import Host


@pytest.fixture
def duplicate(host: Host) -> Duplicate:
    """A machine of another host that this one reports too."""
    owner = Host.objects.create(name="kvm2")
    machine = Domain.objects.create(host=owner, name="<web1>")
    return Duplicate.objects.create(
        host=host, domain=machine, state=DomainState.RUNNING, told_at=timezone.now()
    )


class TestDuplicates:
    def test_a_machine_that_another_host_has_is_told(
        self, operator: Client, host: Host, duplicate: Duplicate
    ) -> None:
        page = operator.get(reverse("dashboard:on_host", args=[host.uuid])).content.decode()

        assert "&lt;web1&gt;</a> is here too" in page
        assert "kvm2" in page

    def test_one_that_is_only_on_its_way_is_not(
        self, operator: Client, host: Host, duplicate: Duplicate
    ) -> None:
        Duplicate.objects.update(told_at=None)

        page = operator.get(reverse("dashboard:on_host", args=[host.uuid])).content.decode()

        assert "is here too" not in page
