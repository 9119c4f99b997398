"""Disks by page and by REST: what is shown, what is typed, and what stands beside a field."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from core.units import GIB, MIB
from domains.models import Domain, DomainDisk, DomainFile, DomainState, Trashed, TrashedDisk
from hosts.models import Host, HostState
from operations.models import Operation
from storage.models import Pool, Volume, VolumeKind
from tests.conftest import Cast, browser_of, program_of


@pytest.fixture
def domain(cast: Cast, host: Host) -> Domain:
    space = {"capacity_bytes": 100 * GIB, "available_bytes": 50 * GIB}
    pool = Pool.objects.create(
        host=host,
        uuid="5f1f2d0e-6a2b-4b0e-9d65-0d8f3c1f5a10",
        name="default",
        kind="dir",
        state="running",
        **space,
    )
    disk = {"format": "qcow2", "capacity_bytes": 5 * GIB}
    Volume.objects.create(pool=pool, name="a.qcow2", path="/pool/a.qcow2", label="web1 disk", **disk)
    Volume.objects.create(pool=pool, name="b.qcow2", path="/pool/b.qcow2", label="spare <b>", **disk)
    Volume.objects.create(pool=pool, name="c.iso", path="/pool/c.iso", kind=VolumeKind.ISO, format="iso")
    machine = Domain.objects.create(host=host, name="web1", team=cast.team, state=DomainState.OFF)
    DomainDisk.objects.create(
        domain=machine,
        target="vda",
        bus="virtio",
        device="disk",
        path="/pool/a.qcow2",
        format="qcow2",
        serial="0123abcd",
        cache="none",
        read_bytes_s=5 * MIB,
        pending=[["cache", "writeback"]],
    )
    DomainDisk.objects.create(domain=machine, target="sda", bus="sata", device="cdrom", readonly=True)
    DomainFile.objects.create(domain=machine, path="/pool/a.qcow2")
    return machine


def settings(**changes: Any) -> dict[str, Any]:
    return {"bus": "virtio", "cache": "default", "discard": "unmap"} | changes


def asked(domain: Domain) -> Operation:
    operation: Operation = Operation.objects.get(target_id=domain.uuid)
    return operation


class TestTheTab:
    def test_says_what_each_disk_is(self, operator: Client, domain: Domain) -> None:
        page = operator.get(f"/machines/{domain.uuid}/hardware/").content.decode()

        for words in (
            "web1 disk",
            "cache none",
            "reads ≤ 5 MiB/s",
            "Next start: cache writeback",
            "0123abcd",
        ):
            assert words in page

    def test_who_may_not_edit_has_no_buttons(self, cast: Cast, domain: Domain) -> None:
        page = browser_of(cast.member).get(f"/machines/{domain.uuid}/hardware/").content.decode()
        assert "web1 disk" in page
        assert "/disks/" not in page
        assert "/drives/" not in page

    def test_says_how_old_it_is_while_the_host_is_away(self, operator: Client, domain: Domain) -> None:
        Host.objects.update(state=HostState.DOWN)
        assert "does not answer" in operator.get(f"/machines/{domain.uuid}/hardware/").content.decode()

    def test_a_name_that_cannot_stand_in_an_address_is_only_shown(
        self, operator: Client, domain: Domain
    ) -> None:
        DomainDisk.objects.filter(target="vda").update(target="../<x>")
        page = operator.get(f"/machines/{domain.uuid}/hardware/").content.decode()
        assert "../&lt;x&gt;" in page
        assert "/disks/../" not in page


class TestForms:
    def test_a_new_disk(self, operator: Client, domain: Domain) -> None:
        pool = Pool.objects.get()
        data = settings(pool=str(pool.uuid), size_gib=2, format="raw", read_mib_s="1.5", key=str(pool.uuid))

        answer = operator.post(f"/machines/{domain.uuid}/disks/add/", data)
        again = operator.post(f"/machines/{domain.uuid}/disks/add/", data)

        assert (answer.status_code, again.status_code) == (302, 302)
        assert answer["Location"] == f"/machines/{domain.uuid}/hardware/"
        operation = asked(domain)
        assert operation.kind == "domain.disk.add"
        assert operation.params["disk"]["settings"]["limits"]["read_bytes_s"] == 1.5 * MIB
        assert Volume.objects.filter(label="web1 disk vdb", ready=False, team=domain.team).count() == 1

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ({"size_gib": "much"}, "Enter a whole number"),
            ({"size_gib": "70000"}, "less than or equal"),
            ({"size_gib": "200"}, "All of pool default is"),
            ({"size_gib": "60", "format": "raw"}, "50 GiB free"),
            ({"read_mib_s": "-1"}, "greater than or equal"),
            ({"read_mib_s": "nan"}, "Enter a number"),
            ({"bus": "floppy"}, "not one of the available choices"),
        ],
    )
    def test_what_is_wrong_stands_beside_its_field(
        self, operator: Client, domain: Domain, typed: dict[str, str], words: str
    ) -> None:
        data = (
            settings(pool=str(Pool.objects.get().uuid), size_gib=2, format="qcow2", key=str(domain.uuid))
            | typed
        )
        answer = operator.post(f"/machines/{domain.uuid}/disks/add/", data)
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not Operation.objects.exists()

    def test_only_what_nobody_uses_can_be_attached(self, operator: Client, domain: Domain) -> None:
        page = operator.get(f"/machines/{domain.uuid}/disks/attach/").content.decode()
        assert "spare &lt;b&gt;" in page
        assert "web1 disk –" not in page
        assert "c.iso" not in page

        used = settings(volume=str(Volume.objects.get(label="web1 disk").uuid), key=str(domain.uuid))
        answer = operator.post(f"/machines/{domain.uuid}/disks/attach/", used)
        assert answer.status_code == 422
        assert "web1 uses it" in answer.content.decode()

    def test_not_even_shared_with_a_machine_in_the_trash(self, operator: Client, domain: Domain) -> None:
        Volume.objects.filter(label="spare <b>").update(format="raw")
        old = Domain.objects.create(host=domain.host, name="old", gone_at=timezone.now())
        TrashedDisk.objects.create(
            trashed=Trashed.objects.create(domain=old, host=domain.host), target="vda", path="/pool/b.qcow2"
        )
        data = settings(
            volume=str(Volume.objects.get(label="spare <b>").uuid), shareable="on", key=str(domain.uuid)
        )

        answer = operator.post(f"/machines/{domain.uuid}/disks/attach/", data)

        assert answer.status_code == 422
        assert "old (in the trash) uses it" in answer.content.decode()
        assert "spare" not in operator.get(f"/machines/{domain.uuid}/disks/attach/").content.decode()

    def test_attach_change_resize_and_detach(self, operator: Client, domain: Domain) -> None:
        key = {"key": str(domain.uuid)}
        spare = settings(volume=str(Volume.objects.get(label="spare <b>").uuid))
        for path, data, kind in (
            ("disks/attach", spare, "domain.disk.attach"),
            ("disks/vda", settings(write_iops=7), "domain.disk.change"),
            ("disks/vda/resize", {"size_gib": 6}, "domain.disk.resize"),
            ("disks/vda/detach", {"patience_s": 60}, "domain.disk.detach"),
            ("drives/sda", {"image": str(Volume.objects.get(name="c.iso").uuid)}, "domain.media.change"),
        ):
            answer = operator.post(f"/machines/{domain.uuid}/{path}/", data | key)
            assert answer.status_code == 302, answer.content.decode()
            assert asked(domain).kind == kind
            Operation.objects.all().delete()

    def test_a_disk_never_shrinks(self, operator: Client, domain: Domain) -> None:
        data = {"size_gib": 4, "key": str(domain.uuid)}
        answer = operator.post(f"/machines/{domain.uuid}/disks/vda/resize/", data)
        assert answer.status_code == 422
        assert "only grow" in answer.content.decode()

    def test_what_waits_for_the_machine_to_be_off_says_so(self, operator: Client, domain: Domain) -> None:
        Domain.objects.update(state=DomainState.RUNNING, live_id=1)
        page = operator.get(f"/machines/{domain.uuid}/disks/vda/").content.decode()
        assert "It can be changed while the machine is off." in page
        assert "It takes effect at the next start." in page
        Domain.objects.update(state=DomainState.PAUSED)
        page = operator.get(f"/machines/{domain.uuid}/disks/vda/detach/").content.decode()
        assert "makes no sense now" in page

    @pytest.mark.parametrize("path", ["disks/vdz/", "disks/sda/resize/", "drives/vda/", "disks/vdz/detach/"])
    def test_there_is_no_such_disk(self, operator: Client, domain: Domain, path: str) -> None:
        assert operator.get(f"/machines/{domain.uuid}/{path}").status_code == 404


class TestRest:
    def test_all_of_it(self, cast: Cast, domain: Domain) -> None:
        program, base = program_of(cast.operator), f"/api/v1/domains/{domain.uuid}"
        pool, spare = Pool.objects.get(), Volume.objects.get(label="spare <b>")
        for method, path, body, kind in (
            ("post", "disks", {"pool": str(pool.uuid), "size_gib": 1}, "domain.disk.add"),
            ("post", "disks/attach", {"volume": str(spare.uuid)}, "domain.disk.attach"),
            ("patch", "disks/vda", {"cache": "unsafe"}, "domain.disk.change"),
            ("post", "disks/vda/resize", {"size_gib": 9}, "domain.disk.resize"),
            ("post", "disks/vda/detach", {"delete_volume": True}, "domain.disk.detach"),
            ("put", "drives/sda/medium", {"image": None}, "domain.media.change"),
            ("post", "drives", {}, "domain.drive.add"),
            ("post", "drives/sda/detach", {}, "domain.drive.detach"),
        ):
            answer = getattr(program, method)(f"{base}/{path}", body, content_type="application/json")
            assert answer.status_code == 202, answer.content
            assert asked(domain).kind == kind
            Operation.objects.all().delete()

    def test_what_is_left_out_stays(self, cast: Cast, domain: Domain) -> None:
        program = program_of(cast.operator)
        body = {"write_iops": 9}
        program.patch(f"/api/v1/domains/{domain.uuid}/disks/vda", body, content_type="application/json")
        wanted = asked(domain).params["settings"]
        assert (wanted["bus"], wanted["cache"], wanted["discard"]) == ("virtio", "writeback", "ignore")
        assert (wanted["limits"]["read_bytes_s"], wanted["limits"]["write_iops"]) == (5 * MIB, 9)

    def test_lists_what_can_be_chosen(self, cast: Cast, domain: Domain) -> None:
        program, base = program_of(cast.operator), f"/api/v1/domains/{domain.uuid}"
        assert [one["label"] for one in program.get(f"{base}/disks/attachable").json()] == ["spare <b>"]
        assert [one["name"] for one in program.get(f"{base}/drives/sda/images").json()] == ["c.iso"]

    def test_a_problem_names_its_field(self, cast: Cast, domain: Domain) -> None:
        answer = program_of(cast.operator).post(
            f"/api/v1/domains/{domain.uuid}/disks/vda/resize",
            {"size_gib": 1},
            content_type="application/json",
        )
        assert answer.status_code == 422
        assert answer.json()["field"] == "size_gib"

    def test_a_stranger_finds_nothing(self, cast: Cast, domain: Domain) -> None:
        answer = program_of(cast.stranger).post(
            f"/api/v1/domains/{domain.uuid}/drives", {}, content_type="application/json"
        )
        assert answer.status_code == 404
