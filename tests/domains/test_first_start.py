"""A first start is in the inventory as soon as libvirt has said so, unless something newer is known."""

from __future__ import annotations

import pytest

from domains.inventory import record_domain, record_started
from domains.models import Domain, DomainState
from hosts.models import Host
from hypervisor.facts import DomainState as Seen
from tests.domains.facts import domain_facts

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("state", "reason"), [(Seen.OFF, "unknown"), (Seen.PAUSED, "starting up")], ids=["off", "starting"]
)
def test_what_was_read_before_is_old(host: Host, state: Seen, reason: str) -> None:
    facts = domain_facts(state=state, state_reason=reason)
    record_domain(host, facts)

    record_started(facts.uuid)

    row = Domain.objects.get(uuid=facts.uuid)
    assert (row.state, row.state_reason) == (DomainState.RUNNING, "booted")
    host.refresh_from_db()
    assert (host.domains_running, host.vcpus_running) == (1, row.vcpus)


@pytest.mark.parametrize(("state", "reason"), [(Seen.PAUSED, "by user"), (Seen.CRASHED, "panicked")])
def test_what_was_read_after_stays(host: Host, state: Seen, reason: str) -> None:
    facts = domain_facts(state=state, state_reason=reason)
    record_domain(host, facts)

    record_started(facts.uuid)

    row = Domain.objects.get(uuid=facts.uuid)
    assert (row.state, row.state_reason) == (DomainState(state.value), reason)
