"""Changes by virsh have a history, too."""

from __future__ import annotations

from functools import partial

from domains.models import DomainVersion, Origin
from hosts.models import Host, HostState
from tests.eventually import eventually
from tests.lab.machines import Machine
from tests.watcher.conftest import Define, is_in, watching

SOON_S = 3.0


def are_kept(machine: Machine, *expected: tuple[Origin, list[str]]) -> bool:
    rows = DomainVersion.objects.filter(domain__uuid=machine.uuid).order_by("number")
    return [(row.origin, row.changes) for row in rows] == list(expected)


def edit(machine: Machine, old: str, new: str) -> None:
    """As `virsh edit` does."""
    file = machine.host.root / "edited.xml"
    file.write_text(machine.virsh("dumpxml", "--inactive").replace(old, new))
    machine.host.virsh("define", str(file))


def test_what_virsh_changes_is_kept_as_it_happens(watched: Host, define: Define) -> None:
    machine = define("web1")
    first = (Origin.FIRST, list[str]())
    eventually(partial(are_kept, machine, first), within_s=SOON_S)

    edit(machine, "32768", "65536")
    second = (Origin.BESIDE, ["memory: 32 MiB → 64 MiB"])
    eventually(partial(are_kept, machine, first, second), within_s=SOON_S)

    machine.virsh("start")
    machine.virsh("destroy")
    edit(machine, "65536", "98304")
    third = (Origin.BESIDE, ["memory: 64 MiB → 96 MiB"])
    eventually(partial(are_kept, machine, first, second, third), within_s=SOON_S)


def test_what_changed_while_nobody_watched_is_found(near: Host, define: Define) -> None:
    machine = define("web1")
    first = (Origin.FIRST, list[str]())
    with watching():
        eventually(partial(is_in, near, HostState.UP), within_s=20)
        eventually(partial(are_kept, machine, first), within_s=SOON_S)

    machine.virsh("setmaxmem", "65536", "--config")

    with watching():
        second = (Origin.BESIDE, ["memory at most: 32 MiB → 64 MiB"])
        eventually(partial(are_kept, machine, first, second), within_s=20)
