"""A definition brings no disk and no address that others have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from lxml.builder import E

from core.errors import Conflict
from domains import claims, versions
from domains.actions.disks import attach
from domains.disk_wishes import DiskSettings, ExistingDisk
from domains.models import Domain, Trashed, TrashedDisk
from hosts.connections import borrow
from operations.models import Operation, OperationState
from storage.models import Volume
from tests.conftest import PASSWORD, Cast, browser_of
from tests.domains.test_define import able
from tests.faults.cases.base import Ground
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out


class TestDisksOfOthers:
    """What was given away since an older version does not come back with it."""

    @pytest.fixture
    def two(
        self, cast: Cast, transactional_db: None, lab_host: LabHost
    ) -> Iterator[tuple[Ground, Domain, Domain]]:
        """A machine that had a second disk in its first version, and one that may be given it."""
        ground = Ground(lab_host, adopt(lab_host), cast.operator)
        extra = ground.volume()
        first = ground.machine(change=lambda root: with_disk(root, extra.path))
        yield ground, self.kept(ground, first), ground.machine(disk=False)
        for domain in Domain.objects.all():
            lab_host.virsh("undefine", str(domain.uuid))
        for path in lab_host.pool_path.iterdir():
            path.unlink()
        lab_host.virsh("pool-refresh", "default")

    def kept(self, ground: Ground, domain: Domain) -> Domain:
        seen = ground.seen(domain.uuid)
        with borrow(ground.host) as hypervisor:
            versions.keep(ground.host, {domain.uuid: hypervisor.read_definition(domain.uuid)})
        return seen

    def given(self, ground: Ground, domain: Domain, other: Domain) -> None:
        """The second disk goes to the other machine, by virsh."""
        path = domain.disks.get(target="vdb").path
        ground.lab.virsh("detach-disk", str(domain.uuid), "vdb", "--config")
        ground.lab.virsh("attach-disk", str(other.uuid), path, "vdb", "--config", "--subdriver", "qcow2")
        self.kept(ground, domain)

    def brought_back(self, domain: Domain, browser: Client) -> str:
        answer = browser.post(f"/machines/{domain.uuid}/definition/1/bring-back/")
        return str(answer["Location"])

    def test_is_refused(self, two: tuple[Ground, Domain, Domain], cast: Cast) -> None:
        ground, domain, other = two
        self.given(ground, domain, other)
        ground.seen(other.uuid)
        browser = browser_of(able(cast.superuser))
        place = self.brought_back(domain, browser)
        assert f"is in use by {other.name}" in browser.get(place).content.decode()

        answer = browser.post(place, {"password": PASSWORD})

        assert answer.status_code == 422
        assert not Operation.objects.exists()

    def test_also_where_only_the_host_knows(self, two: tuple[Ground, Domain, Domain], cast: Cast) -> None:
        ground, domain, other = two
        self.given(ground, domain, other)
        browser = browser_of(able(cast.superuser))
        browser.post(self.brought_back(domain, browser), {"password": PASSWORD})

        operation = carry_out(Operation.objects.get().pk)

        assert operation.state == OperationState.FAILED
        assert f"in use by {other.name}" in operation.error
        assert "vdb" not in ground.lab.virsh("domblklist", str(domain.uuid))

    def test_nothing_else_begins_with_it_meanwhile(
        self, two: tuple[Ground, Domain, Domain], cast: Cast
    ) -> None:
        ground, domain, other = two
        volume = Volume.objects.get(path=domain.disks.get(target="vdb").path)
        ground.lab.virsh("detach-disk", str(domain.uuid), "vdb", "--config")
        domain = self.kept(ground, domain)
        browser = browser_of(able(cast.superuser))
        browser.post(self.brought_back(domain, browser), {"password": PASSWORD})
        wanted = ExistingDisk(volume=volume, shareable=False, settings=DiskSettings(bus="virtio"))

        with pytest.raises(Conflict, match="Another operation is still at work"):
            attach(domain=other, wanted=wanted, actor=cast.superuser)

        assert carry_out(Operation.objects.get().pk).state == OperationState.SUCCEEDED
        assert "vdb" in ground.lab.virsh("domblklist", str(domain.uuid))

    def test_nor_does_what_the_trash_or_an_overlay_needs(
        self, two: tuple[Ground, Domain, Domain], cast: Cast
    ) -> None:
        ground, domain, other = two
        path = domain.disks.get(target="vdb").path
        base = domain.versions.get(number=1).xml
        less = base.replace(path, f"{path}.other")
        assert claims.objections(domain, ground.host, less, base) == []
        Volume.objects.filter(path=domain.disks.get(target="vda").path).update(backing_path=path)
        assert [one.final for one in claims.objections(domain, ground.host, less, base)] == [True]
        Volume.objects.update(backing_path="")
        entry = Trashed.objects.create(domain=other, host=ground.host)
        TrashedDisk.objects.create(trashed=entry, target="vda", path=path)
        assert "in the trash" in claims.objections(domain, ground.host, less, base)[0].text

    @pytest.mark.parametrize("write", ["{}", "/{}", "/../{}", "/x/..{}"])
    def test_however_its_path_is_written(
        self, two: tuple[Ground, Domain, Domain], cast: Cast, write: str
    ) -> None:
        ground, domain, other = two
        path = domain.disks.get(target="vda").path
        wanted = f"<domain><devices><disk><source file='{write.format(path)}'/></disk></devices></domain>"
        found = claims.objections(other, ground.host, claims.NOTHING, wanted)
        assert [one.text for one in found] == [f"{path} is in use by {domain.name}."]
        assert claims.objections(domain, ground.host, claims.NOTHING, wanted) == []

    def test_nor_by_its_pool_or_under_another_face(
        self, two: tuple[Ground, Domain, Domain], cast: Cast
    ) -> None:
        ground, domain, other = two
        disk = domain.disks.get(target="vda")
        named = f"<source pool='default' volume='{Volume.objects.get(path=disk.path).name}'/>"
        shared = f"<source file='{disk.path}'/><shareable/>"
        medium = (
            f"<domain><devices><disk device='cdrom'><source file='{disk.path}'/></disk></devices></domain>"
        )
        for inner in (named, shared):
            wanted = f"<domain><devices><disk>{inner}</disk></devices></domain>"
            assert len(claims.objections(other, ground.host, claims.NOTHING, wanted)) == 1
        assert claims.objections(other, ground.host, claims.NOTHING, medium) == []

    def test_a_disk_for_several_is_shared(self, two: tuple[Ground, Domain, Domain], cast: Cast) -> None:
        ground, domain, other = two
        path = domain.disks.get(target="vdb").path
        domain.disks.update(shareable=True)
        alone = f"<domain><devices><disk><source file='{path}'/></disk></devices></domain>"
        shared = alone.replace("</disk>", "<shareable/></disk>")
        assert claims.objections(other, ground.host, claims.NOTHING, shared) == []
        assert len(claims.objections(other, ground.host, shared, alone)) == 1

    def test_nor_an_address_of_a_card(self, two: tuple[Ground, Domain, Domain], cast: Cast) -> None:
        ground, domain, other = two
        other.nics.create(mac="52:54:00:00:00:07", kind="network", source="default")
        nic = "<interface type='network'><mac address='52:54:00:00:00:07'/><source network='default'/></interface>"
        wanted = f"<domain><devices>{nic}</devices></domain>"
        (found,) = claims.objections(domain, ground.host, claims.NOTHING, wanted)
        assert (found.final, found.text) == (True, f"{other.name} has the MAC address 52:54:00:00:00:07.")


def with_disk(root: Any, path: str) -> None:
    disk = E.disk(
        E.driver(name="qemu", type="qcow2"),
        E.source(file=path),
        E.target(dev="vdb", bus="virtio"),
        type="file",
    )
    root.find("devices").append(disk)
