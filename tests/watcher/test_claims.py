"""Several watchers share the hosts, and never write to the same one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from hosts.models import Credentials, Host, Transport
from tests.hosts.reach import spoil
from watcher.claims import LEASE, ClaimLost, Claims
from watcher.models import Claim, Watcher


@pytest.fixture
def hosts(db: None) -> list[Host]:
    """Six, over ssh."""
    return [Host.objects.create(name=f"kvm{i}", transport=Transport.SSH, address=f"kvm{i}") for i in range(6)]


def names(claims: Claims) -> set[str]:
    """Whom it watches after one more look."""
    return {held.host.name for held in claims.look().values()}


def let_time_pass(watcher: Claims) -> None:
    """As if this watcher had said nothing since its lease began."""
    Watcher.objects.filter(pk=watcher._uuid).update(seen_at=F("seen_at") - LEASE - timedelta(seconds=1))
    Claim.objects.filter(watcher=watcher._uuid).update(lease_until=Now() - timedelta(seconds=1))


class TestSharing:
    def test_one_alone_takes_all(self, hosts: list[Host]) -> None:
        assert names(Claims()) == {host.name for host in hosts}

    def test_one_that_joins_gets_its_share_within_two_looks(self, hosts: list[Host]) -> None:
        one, two = Claims(), Claims()
        one.look()
        two.look()

        kept, given = names(one), names(two)

        assert len(kept) == len(given) == 3
        assert not kept & given

    def test_nothing_changes_hands_without_a_reason(self, hosts: list[Host]) -> None:
        watchers = [Claims() for _ in range(4)]
        for _ in range(3):
            for watcher in watchers:
                watcher.look()
        before = [names(watcher) for watcher in watchers]

        assert [names(watcher) for watcher in watchers] == before
        assert set().union(*before) == {host.name for host in hosts}
        assert max(map(len, before)) == 2

    def test_what_is_given_back_at_the_end_is_taken_at_once(self, hosts: list[Host]) -> None:
        one, two = Claims(), Claims()
        one.look()
        one.release()

        assert len(names(two)) == 6
        assert Watcher.objects.count() == 1

    def test_a_silent_one_loses_its_hosts(self, hosts: list[Host]) -> None:
        one, two = Claims(), Claims()
        one.look()
        assert names(two) == set()
        let_time_pass(one)

        assert len(names(two)) == 6

    def test_a_removed_host_is_let_go(self, hosts: list[Host]) -> None:
        one = Claims()
        one.look()
        Host.objects.filter(pk=hosts[0].pk).update(gone_at=Now())

        assert hosts[0].name not in names(one)

    def test_a_key_that_cannot_be_opened_keeps_nobody_from_looking(self, hosts: list[Host]) -> None:
        Credentials.objects.create(host=hosts[0])
        spoil(hosts[0])

        assert names(Claims()) == {host.name for host in hosts}

    def test_only_a_watcher_on_the_panels_machine_takes_what_is_there(self, hosts: list[Host]) -> None:
        Host.objects.create(name="here")
        far, near = Claims(remote_only=True), Claims()

        assert len(names(far)) == 6
        near.look()
        assert len(names(far)) == 3
        assert "here" in names(near)
        assert len(names(near)) == 4


class TestFence:
    def test_who_holds_it_writes(self, hosts: list[Host]) -> None:
        one = Claims()
        held = one.look()[hosts[0].uuid]

        with one.writing(held):
            Host.objects.filter(pk=hosts[0].pk).update(error="x")

    def test_who_lost_it_does_not(self, hosts: list[Host]) -> None:
        one, two = Claims(), Claims()
        held = one.look()[hosts[0].uuid]
        let_time_pass(one)
        two.look()

        with pytest.raises(ClaimLost), one.writing(held):
            Host.objects.filter(pk=hosts[0].pk).update(error="x")

        assert not Host.objects.filter(error="x").exists()

    def test_who_lost_it_and_got_it_again_starts_anew(self, hosts: list[Host]) -> None:
        one, two = Claims(), Claims()
        held = one.look()[hosts[0].uuid]
        let_time_pass(one)
        two.look()
        two.release()
        again = one.look()[hosts[0].uuid]

        assert again.version != held.version
        with pytest.raises(ClaimLost), one.writing(held):
            pass


class TestVersion:
    def test_it_changes_with_the_address_and_with_the_credentials(self, hosts: list[Host]) -> None:
        one = Claims()
        host = hosts[0]
        versions = [one.look()[host.uuid].version]
        Host.objects.filter(pk=host.pk).update(port=2222)
        versions.append(one.look()[host.uuid].version)
        credentials = Credentials.objects.create(host=host)
        versions.append(one.look()[host.uuid].version)
        credentials.save()
        versions.append(one.look()[host.uuid].version)

        assert len(set(versions)) == 4

    def test_it_does_not_change_with_what_was_observed(self, hosts: list[Host]) -> None:
        one = Claims()
        host = hosts[0]
        version = one.look()[host.uuid].version
        Host.objects.filter(pk=host.pk).update(seen_at=Now(), error="x", memory_mib=1, labels=["fast"])

        assert one.look()[host.uuid].version == version
