"""The trash: a machine goes in whole, comes out whole, and is deleted for good when it is time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from core.errors import Conflict, Forbidden, InvalidInput
from domains.actions import trash as actions
from domains.actions.delete import delete, trash
from domains.actions.protect import protect
from domains.clock import empty_trash
from domains.models import Domain, DomainState, Trashed
from hosts.models import Host, HostState
from hypervisor.xml.leaves import leaves
from operations.models import Operation, OperationState
from storage.models import Volume
from storage.usage import users_of
from tests.conftest import Cast, browser_of
from tests.faults.cases.base import Ground
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out

MAC = "52:54:00:aa:bb:01"


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Iterator[Ground]:
    yield Ground(lab_host, adopt(lab_host), cast.operator)
    lab_host.clear()


def with_a_card(root: Any) -> None:
    from lxml.builder import E

    card = E.interface(E.mac(address=MAC), E.source(network="default"), type="network")
    root.find("devices").append(card)


def with_disk(root: Any, path: str) -> None:
    from lxml.builder import E

    disk = E.disk(E.source(file=path), E.target(dev="vda", bus="virtio"), type="file", device="disk")
    root.find("devices").append(disk)


def disk_of(domain: Domain) -> Volume:
    found: Volume = Volume.objects.get(path=domain.disks.get().path)
    return found


def throw_away(ground: Ground, domain: Domain) -> Trashed:
    ended = carry_out(trash(domain=domain, volumes=[disk_of(domain).uuid], actor=ground.actor).pk)
    assert ended.state == OperationState.SUCCEEDED, ended.error
    return entry_of(domain)


def entry_of(domain: Domain) -> Trashed:
    found: Trashed = Trashed.objects.select_related("domain__team", "host").get(domain=domain)
    return found


def make_due(entry: Trashed) -> None:
    Trashed.objects.filter(pk=entry.pk).update(until=timezone.now() - timedelta(seconds=1))


def purges() -> list[Operation]:
    return list(Operation.objects.filter(kind="domain.purge").order_by("created_at"))


class TestTrash:
    def test_takes_a_running_machine_off_its_host_and_leaves_its_disk(self, ground: Ground) -> None:
        domain = ground.machine(state=DomainState.PAUSED)
        entry = throw_away(ground, domain)
        domain.refresh_from_db()
        assert not ground.exists(domain.uuid)
        assert domain.gone_at is not None
        assert (ground.lab.pool_path / disk_of(domain).name).exists()
        assert entry.until is not None
        assert entry.since is not None
        assert entry.until - entry.since == timedelta(days=7)
        assert entry.by == ground.actor

    def test_comes_back_as_it_was(self, ground: Ground, cast: Cast) -> None:
        domain = ground.machine(change=with_a_card)
        Domain.objects.filter(pk=domain.pk).update(tags=["web"], owner=cast.lead, team=cast.team)
        ground.lab.virsh("autostart", str(domain.uuid))
        before = leaves(ground.dumpxml(domain.uuid))
        entry = throw_away(ground, domain)
        ended = carry_out(actions.restore(entry=entry, actor=cast.lead).pk)
        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert leaves(ground.dumpxml(domain.uuid)) == before
        domain.refresh_from_db()
        assert (domain.gone_at, domain.tags, domain.owner, domain.team, domain.autostart) == (
            None,
            ["web"],
            cast.lead,
            cast.team,
            True,
        )
        assert not Trashed.objects.exists()

    def test_keeps_the_variables_of_its_firmware_until_it_is_purged(self, ground: Ground) -> None:
        nvram = ground.lab.root / "lib" / "qemu" / "nvram" / "kept_VARS.fd"

        def with_uefi(root: Any) -> None:
            from lxml.builder import E

            os = root.find("os")
            loader = E.loader("/usr/share/OVMF/OVMF_CODE_4M.fd", readonly="yes", type="pflash")
            os.extend([loader, E.nvram("/var/lib/libvirt/qemu/nvram/kept_VARS.fd")])

        domain = ground.machine(change=with_uefi)
        nvram.parent.mkdir(parents=True, exist_ok=True)
        nvram.write_bytes(b"the order of boot")
        entry = throw_away(ground, domain)
        assert nvram.read_bytes() == b"the order of boot"
        carry_out(actions.restore(entry=entry, actor=ground.actor).pk)
        assert nvram.exists()
        entry = throw_away(ground, Domain.objects.get(pk=domain.pk))
        ended = carry_out(actions.purge(entry=entry, volumes=[], actor=ground.actor).pk)
        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert not nvram.exists()
        assert not ground.exists(domain.uuid)
        assert Domain.objects.get(pk=domain.pk).name == domain.name

    def test_its_disk_is_nobody_elses_meanwhile(self, ground: Ground) -> None:
        domain = ground.machine()
        throw_away(ground, domain)
        volume = disk_of(domain)
        names = [use.name for use in users_of(ground.host, [volume.path])[volume.path]]
        assert names == [f"{domain.name} (in the trash)"]
        answer = browser_of(ground.actor).post(f"/storage/volumes/{volume.uuid}/delete/")
        assert answer.status_code == 409
        assert "in the trash" in answer.content.decode()

    def test_is_refused_where_this_panel_keeps_none(self, ground: Ground, settings: Settings) -> None:
        settings.TRASH_DAYS = 0
        with pytest.raises(Conflict, match="keeps no trash"):
            trash(domain=ground.machine(disk=False), volumes=[], actor=ground.actor)

    def test_keeps_its_definition_sealed(self, ground: Ground) -> None:
        from django.db import connection

        domain = ground.machine()
        throw_away(ground, domain)
        with connection.cursor() as cursor:
            cursor.execute("SELECT definition FROM domains_trashed")
            assert "domain" not in cursor.fetchone()[0]


class TestRestore:
    def test_says_what_is_in_the_way(self, ground: Ground) -> None:
        domain = ground.machine(change=with_a_card)
        entry = throw_away(ground, domain)

        def same_name_and_address(root: Any) -> None:
            with_a_card(root)
            root.find("name").text = domain.name

        ground.machine(disk=False, change=same_name_and_address)
        with pytest.raises(InvalidInput) as name:
            actions.restore(entry=entry, actor=ground.actor)
        assert name.value.field == "name"
        with pytest.raises(InvalidInput) as mac:
            actions.restore(entry=entry, actor=ground.actor, name="other")
        assert (mac.value.field, MAC in mac.value.message) == ("new_macs", True)
        ended = carry_out(actions.restore(entry=entry, actor=ground.actor, name="other", new_macs=True).pk)
        assert ended.state == OperationState.SUCCEEDED, ended.error
        domain.refresh_from_db()
        assert domain.name == "other"
        assert domain.nics.get().mac not in (MAC, "")

    def test_a_name_that_virsh_took_meanwhile_is_told(self, ground: Ground) -> None:
        domain = ground.machine()
        entry = throw_away(ground, domain)
        wanted = actions.restore(entry=entry, actor=ground.actor)
        other = ground.machine(
            disk=False, change=lambda root: setattr(root.find("name"), "text", domain.name)
        )
        ended = carry_out(wanted.pk)
        assert (ended.state, "already" in ended.error) == (OperationState.FAILED, True)
        assert ground.exists(other.uuid)
        assert Trashed.objects.filter(domain=domain).exists()

    def test_a_disk_that_is_gone_is_told(self, ground: Ground) -> None:
        domain = ground.machine()
        entry = throw_away(ground, domain)
        (ground.lab.pool_path / disk_of(domain).name).unlink()
        ground.lab.virsh("pool-refresh", "default")
        ended = carry_out(actions.restore(entry=entry, actor=ground.actor).pk)
        assert (ended.state, "vda" in ended.error) == (OperationState.FAILED, True)
        assert not ground.exists(domain.uuid)

    @pytest.mark.parametrize("seen", [True, False])
    def test_a_disk_that_another_machine_has_by_now_stays_there(self, ground: Ground, *, seen: bool) -> None:
        domain = ground.machine()
        entry = throw_away(ground, domain)
        other = ground.machine(disk=False, change=lambda root: with_disk(root, disk_of(domain).path))
        if not seen:
            other.disks.all().delete()
        ended = carry_out(actions.restore(entry=entry, actor=ground.actor).pk)
        assert (ended.state, f"in use by {other.name}" in ended.error) == (OperationState.FAILED, True)
        assert not ground.exists(domain.uuid)

    def test_a_disk_that_another_is_based_on_by_now_is_told(self, ground: Ground) -> None:
        domain = ground.machine()
        entry = throw_away(ground, domain)
        layer = ground.volume()
        Volume.objects.filter(pk=layer.pk).update(backing_path=disk_of(domain).path)
        ended = carry_out(actions.restore(entry=entry, actor=ground.actor).pk)
        assert (ended.state, f"{layer} is based on" in ended.error) == (OperationState.FAILED, True)
        assert not ground.exists(domain.uuid)

    def test_an_address_that_was_taken_since_it_was_asked_for_is_told(self, ground: Ground) -> None:
        domain = ground.machine(change=with_a_card)
        wanted = actions.restore(entry=throw_away(ground, domain), actor=ground.actor)
        ground.machine(disk=False, change=with_a_card)
        ended = carry_out(wanted.pk)
        assert (ended.state, MAC in ended.error) == (OperationState.FAILED, True)

    def test_a_volume_of_before_at_the_same_path_is_not_in_the_way(self, ground: Ground) -> None:
        domain = ground.machine()
        entry = throw_away(ground, domain)
        volume = disk_of(domain)
        old = {"pool": volume.pool, "path": volume.path, "format": volume.format, "kind": volume.kind}
        Volume.objects.create(**old, name="renamed-since.img", gone_at=timezone.now())
        ended = carry_out(actions.restore(entry=entry, actor=ground.actor).pk)
        assert ended.state == OperationState.SUCCEEDED, ended.error

    def test_a_host_that_is_away_is_told(self, ground: Ground) -> None:
        entry = throw_away(ground, ground.machine())
        Host.objects.update(state=HostState.DOWN)
        with pytest.raises(Conflict, match="can't be reached"):
            actions.restore(entry=entry_of(entry.domain), actor=ground.actor)

    def test_one_that_virsh_brought_back_says_so_and_loses_nothing(self, ground: Ground) -> None:
        domain = ground.machine()
        entry = throw_away(ground, domain)
        file = ground.lab.root / "back.xml"
        file.write_text(entry.definition)
        ground.lab.virsh("define", str(file))
        purge = actions.purge(entry=entry, volumes=[disk_of(domain).uuid], actor=ground.actor)
        ended = carry_out(purge.pk)
        assert (ended.state, "again" in ended.error) == (OperationState.FAILED, True)
        assert ground.exists(domain.uuid)
        assert (ground.lab.pool_path / disk_of(domain).name).exists()

        ground.seen(domain.uuid)
        entry = entry_of(domain)
        assert "is on a host again" in browser_of(ground.actor).get(reverse("domains:trash")).content.decode()
        with pytest.raises(Conflict, match="again"):
            actions.restore(entry=entry, actor=ground.actor)
        actions.drop(entry=entry, actor=ground.actor)
        assert not Trashed.objects.exists()
        assert ground.exists(domain.uuid)


class TestPurge:
    def test_deletes_what_was_chosen(self, ground: Ground) -> None:
        domain = ground.machine()
        entry = throw_away(ground, domain)
        volume = disk_of(domain)
        ended = carry_out(actions.purge(entry=entry, volumes=[volume.uuid], actor=ground.actor).pk)
        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert not (ground.lab.pool_path / volume.name).exists()
        assert not Trashed.objects.exists()

    def test_happens_by_itself_when_it_is_time(self, ground: Ground) -> None:
        due, fresh = ground.machine(), ground.machine()
        entries = [throw_away(ground, domain) for domain in (due, fresh)]
        make_due(entries[0])
        empty_trash()
        empty_trash()
        (operation,) = purges()
        assert operation.actor is None
        assert carry_out(operation.pk).state == OperationState.SUCCEEDED
        assert [entry.domain for entry in Trashed.objects.all()] == [fresh]
        assert not (ground.lab.pool_path / disk_of(due).name).exists()
        assert (ground.lab.pool_path / disk_of(fresh).name).exists()

    def test_by_itself_spares_a_disk_that_another_machine_has(self, ground: Ground) -> None:
        domain = ground.machine()
        entry = throw_away(ground, domain)
        ground.machine(disk=False, change=lambda root: with_disk(root, disk_of(domain).path))
        make_due(entry)
        empty_trash()
        assert carry_out(purges()[0].pk).state == OperationState.SUCCEEDED
        assert (ground.lab.pool_path / disk_of(domain).name).exists()

    def test_waits_for_a_host_that_is_away_and_forgets_with_one_that_left(self, ground: Ground) -> None:
        entry = throw_away(ground, ground.machine())
        make_due(entry)
        Host.objects.update(state=HostState.DOWN)
        empty_trash()
        assert not purges()
        Host.objects.update(gone_at=timezone.now())
        empty_trash()
        assert not purges()
        assert not Trashed.objects.exists()


class TestDelete:
    def test_refuses_a_disk_that_another_volume_is_based_on_by_now(self, ground: Ground) -> None:
        domain = ground.machine()
        volume = disk_of(domain)
        wanted = delete(domain=domain, volumes=[volume.uuid], actor=ground.actor)
        overlay = ground.lab.pool_path / "overlay.qcow2"
        ground.lab.exec(
            "qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", volume.path, str(overlay)
        )
        ended = carry_out(wanted.pk)
        assert (ended.state, "based on" in ended.error) == (OperationState.FAILED, True)
        assert ground.exists(domain.uuid)

    def test_refuses_a_machine_that_is_protected(self, ground: Ground, cast: Cast) -> None:
        domain = ground.machine(disk=False)
        waiting = delete(domain=domain, volumes=[], actor=ground.actor)
        with pytest.raises(Conflict, match="being deleted"):
            protect(domain=domain, protected=True, actor=ground.actor)
        Operation.objects.filter(pk=waiting.pk).delete()
        protect(domain=domain, protected=True, actor=ground.actor)
        domain.refresh_from_db()
        for way in (delete, trash):
            with pytest.raises(Conflict, match="protected"):
                way(domain=domain, volumes=[], actor=ground.actor)
        with pytest.raises(Forbidden):
            protect(domain=domain, protected=False, actor=cast.stranger)
        protect(domain=domain, protected=False, actor=ground.actor)
        domain.refresh_from_db()
        assert carry_out(delete(domain=domain, volumes=[], actor=ground.actor).pk).state == "succeeded"
