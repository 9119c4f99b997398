"""People work with virsh beside the panel; the inventory follows."""

from __future__ import annotations

import time
from functools import partial

import pytest

from domains.models import Domain, DomainState
from hosts.inventory import record_lost
from hosts.models import Host, HostState
from tests.eventually import eventually
from tests.lab.guest import tiny_guest
from tests.lab.machines import Machine
from tests.watcher.conftest import Define, is_in, watching

SOON_S = 2.0


def is_shown(machine: Machine, **columns: object) -> bool:
    """Whether the inventory shows it, and so."""
    return Domain.objects.present().filter(uuid=machine.uuid, **columns).exists()


class TestEvents:
    def test_a_machines_life_is_followed(self, watched: Host, define: Define) -> None:
        machine = define("web1")
        eventually(partial(is_shown, machine, state=DomainState.OFF, name="web1"), within_s=SOON_S)

        for command, state in (
            ("start", DomainState.RUNNING),
            ("suspend", DomainState.PAUSED),
            ("resume", DomainState.RUNNING),
            ("destroy", DomainState.OFF),
        ):
            machine.virsh(command)
            eventually(partial(is_shown, machine, state=state), within_s=SOON_S)

        machine.virsh("undefine")
        eventually(lambda: not is_shown(machine), within_s=SOON_S)
        assert Domain.objects.get(uuid=machine.uuid).gone_at is not None

    def test_names_change_places(self, watched: Host, define: Define) -> None:
        one, two = define("one"), define("two")
        eventually(lambda: is_shown(one) and is_shown(two), within_s=SOON_S)

        one.virsh("domrename", "three")
        two.virsh("domrename", "one")
        one.virsh("domrename", "two")

        eventually(lambda: is_shown(one, name="two") and is_shown(two, name="one"), within_s=SOON_S)

    def test_one_that_came_back_is_there_again(self, watched: Host, define: Define) -> None:
        machine = define("web1")
        eventually(partial(is_shown, machine), within_s=SOON_S)
        machine.virsh("undefine")
        eventually(lambda: not is_shown(machine), within_s=SOON_S)

        define("web1", uuid=machine.uuid)

        eventually(partial(is_shown, machine), within_s=SOON_S)

    def test_a_definition_that_goes_while_it_runs(self, watched: Host, define: Define) -> None:
        machine = define("web1")
        machine.virsh("start")

        machine.virsh("undefine")
        eventually(partial(is_shown, machine, persistent=False, state=DomainState.RUNNING), within_s=SOON_S)

        machine.virsh("destroy")
        eventually(lambda: not is_shown(machine), within_s=SOON_S)

    def test_many_at_once(self, watched: Host, define: Define) -> None:
        machines = [define(f"web{i}") for i in range(40)]

        eventually(lambda: all(is_shown(machine) for machine in machines), within_s=SOON_S)

    def test_a_reset_is_not_shown_as_a_stop(self, watched: Host, define: Define) -> None:
        machine = define("web1", guest=tiny_guest())
        machine.virsh("start")
        eventually(partial(is_shown, machine, state=DomainState.RUNNING), within_s=SOON_S)

        machine.virsh("reset")

        end = time.monotonic() + SOON_S
        while time.monotonic() < end:
            assert is_shown(machine, state=DomainState.RUNNING)
            time.sleep(0.01)

    @pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "a b;c&d\"e'f", "ñandú-機", "x" * 200])
    def test_hostile_names(self, watched: Host, define: Define, name: str) -> None:
        machine = define(name)

        eventually(partial(is_shown, machine, name=name), within_s=SOON_S)


class TestFullReading:
    def test_what_changed_while_nobody_watched(self, near: Host, define: Define) -> None:
        stays, goes = define("stays"), define("goes")
        with watching():
            eventually(lambda: is_shown(stays) and is_shown(goes), within_s=20)
        goes.virsh("undefine")
        comes = define("comes")
        stays.virsh("start")

        with watching():
            eventually(lambda: is_shown(comes) and not is_shown(goes), within_s=20)

        assert is_shown(stays, state=DomainState.RUNNING)

    def test_a_row_that_somebody_changed_is_set_right(
        self, near: Host, define: Define, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("watcher.following.READ_ALL_S", 1.0)
        machine = define("web1")
        with watching():
            eventually(lambda: is_shown(machine, name="web1", vcpus=1), within_s=20)
            time.sleep(3)  # a few readings, by which it is known as it is
            Domain.objects.filter(uuid=machine.uuid).update(vcpus=7)
            eventually(lambda: is_shown(machine, vcpus=1), within_s=10)
            seen_at = Domain.objects.get(uuid=machine.uuid).seen_at
            eventually(lambda: is_shown(machine, seen_at__gt=seen_at), within_s=10)

    def test_a_host_that_somebody_called_lost_is_there_again(
        self, near: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("watcher.following.READ_ALL_S", 1.0)
        monkeypatch.setattr("watcher.following.FACTS_EVERY", 1_000_000)
        with watching():
            eventually(partial(is_in, near, HostState.UP), within_s=20)
            record_lost(near, "seen by a test")
            eventually(partial(is_in, near, HostState.UP), within_s=10)

    def test_the_hosts_sums_follow(self, watched: Host, define: Define) -> None:
        machine = define("web1")
        machine.virsh("start")

        eventually(
            Host.objects.filter(pk=watched.pk, domains_total=1, domains_running=1).exists, within_s=SOON_S
        )
