"""A disk as one file: whole, packed, told by its checksum, and gone after a day."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from core.errors import Conflict, InvalidInput
from operations.models import Operation, OperationState
from storage import actions, exported
from storage.compressed import CompressedImage
from storage.models import Export, ExportState, Pool, Volume, VolumeKind
from storage.tasks import sweep_exports
from tests.conftest import Cast, browser_of, program_of
from tests.lab.host import LabHost
from tests.stage import carry_out

MIB = 1024**2


@pytest.fixture(autouse=True)
def no_files() -> Iterator[None]:
    yield
    for path in Path(settings.EXPORTS_DIR).glob("*"):
        path.unlink()


def disk(pool: Pool, cast: Cast, lab: LabHost, kind: str, *, mib: int = 40) -> Volume:
    """With some words here and there, and holes between."""
    asked = actions.create_volume(
        pool=pool, label=f"my {kind} disk", format=kind, capacity_bytes=mib * MIB, actor=cast.operator
    )
    assert carry_out(asked.pk).state == OperationState.SUCCEEDED
    volume = Volume.objects.get(label=f"my {kind} disk")
    for at in ("0", "10M", "39M"):
        lab.exec("qemu-io", "-f", kind, "-c", f"write -P 7 {at} 100k", volume.path)
    return volume


def exported_from(volume: Volume, cast: Cast) -> Export:
    ended = carry_out(actions.export(volume=volume, actor=cast.operator).pk)
    assert ended.state == OperationState.SUCCEEDED, (ended.error, ended.left_behind)
    return Export.objects.get(volume=volume)


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kind", ["qcow2", "raw"])
def test_is_the_same_disk_in_less_space(pool: Pool, cast: Cast, lab_host: LabHost, kind: str) -> None:
    volume = disk(pool, cast, lab_host, kind)
    export = exported_from(volume, cast)
    path = str(exported.path_of(export.uuid))
    assert "No errors" in said("qemu-img", "check", path)
    assert "identical" in said("qemu-img", "compare", "-f", kind, "-F", "qcow2", volume.path, path)
    assert export.size_bytes == Path(path).stat().st_size < MIB
    assert export.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert [file.name for file in lab_host.pool_path.iterdir()] == [volume.name]


def test_an_overlay_is_exported_with_what_is_below(pool: Pool, cast: Cast, lab_host: LabHost) -> None:
    base = disk(pool, cast, lab_host, "qcow2")
    top = lab_host.pool_path / "top.qcow2"
    lab_host.exec("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base.path, str(top))
    lab_host.virsh("pool-refresh", "default")
    layer = Volume.objects.create(
        pool=pool,
        name="top.qcow2",
        path=str(top),
        format="qcow2",
        kind=VolumeKind.DISK,
        capacity_bytes=40 * MIB,
    )
    path = str(exported.path_of(exported_from(layer, cast).uuid))
    told = json.loads(said("qemu-img", "info", "--output=json", path))
    assert "backing-filename" not in told
    assert "identical" in said("qemu-img", "compare", base.path, path)


def test_the_disk_of_a_machine_that_is_on_is_refused(pool: Pool, cast: Cast, lab_host: LabHost) -> None:
    volume = disk(pool, cast, lab_host, "raw")
    xml = lab_host.root / "on.xml"
    xml.write_text(
        "<domain type='qemu'><name>on1</name><memory>32768</memory><os><type>hvm</type></os><devices>"
        f"<disk type='file'><driver type='raw'/><source file='{volume.path}'/><target dev='vda'/></disk>"
        "</devices></domain>"
    )
    lab_host.virsh("create", str(xml), "--paused")
    try:
        ended = carry_out(actions.export(volume=volume, actor=cast.operator).pk)
    finally:
        lab_host.virsh("destroy", "on1")
    assert ended.state == OperationState.FAILED
    assert "on1 is on" in ended.error
    assert not Export.objects.exists()
    assert list(Path(settings.EXPORTS_DIR).glob("*")) == []


def test_a_cancelled_export_leaves_nothing(pool: Pool, cast: Cast, lab_host: LabHost) -> None:
    volume = disk(pool, cast, lab_host, "qcow2")
    operation = actions.export(volume=volume, actor=cast.operator)
    Operation.objects.filter(pk=operation.pk).update(cancel_requested=True)
    assert carry_out(operation.pk).state == OperationState.CANCELLED
    assert not Export.objects.exists()
    assert [file.name for file in lab_host.pool_path.iterdir()] == [volume.name]


def test_only_disks_are_exported(pool: Pool, cast: Cast) -> None:
    iso = Volume.objects.create(pool=pool, name="x.iso", kind=VolumeKind.ISO, format="raw")
    with pytest.raises(InvalidInput):
        actions.export(volume=iso, actor=cast.operator)


def test_no_more_than_a_pool_has_room_for(pool: Pool, cast: Cast) -> None:
    Pool.objects.update(available_bytes=MIB)
    large = Volume.objects.create(
        pool=pool, name="x.qcow2", kind=VolumeKind.DISK, format="qcow2", allocation_bytes=10 * MIB
    )
    with pytest.raises(Conflict, match="A copy of it is made in pool default"):
        actions.export(volume=large, actor=cast.operator)


class TestTaking:
    @pytest.fixture
    def export(self, pool: Pool, cast: Cast) -> Export:
        volume = Volume.objects.create(pool=pool, name="x.qcow2", kind=VolumeKind.DISK, format="qcow2")
        made = Export.objects.create(
            owner=cast.operator,
            volume=volume,
            filename="it's; rm -rf.qcow2",
            state=ExportState.READY,
            sha256="0" * 64,
            expires_at=timezone.now() + timedelta(hours=1),
        )
        settings.EXPORTS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        exported.path_of(made.uuid).write_bytes(b"x")
        return made

    def test_nginx_is_told_to_send_it(self, export: Export, cast: Cast) -> None:
        answer = browser_of(cast.operator).get(f"/storage/exports/{export.uuid}/file/")
        assert answer["X-Accel-Redirect"] == f"/_exports/{export.uuid}.qcow2"
        assert "attachment" in answer["Content-Disposition"]

    def test_rest_lists_and_sends_it(self, export: Export, cast: Cast) -> None:
        call = program_of(cast.operator)
        [listed] = call.get("/api/v1/storage/exports").json()
        assert listed["sha256"] == "0" * 64
        assert call.get(f"/api/v1/storage/exports/{export.uuid}/file")["X-Accel-Redirect"]

    def test_the_page_quotes_hostile_names(self, export: Export, cast: Cast) -> None:
        page = browser_of(cast.operator).get(f"/storage/volumes/{export.volume.uuid}/").content.decode()
        assert "openstack image create" in page
        assert "&#x27;it&#x27;&quot;&#x27;&quot;&#x27;s; rm -rf.qcow2&#x27;" in page

    def test_those_who_only_look_get_nothing(self, export: Export, cast: Cast) -> None:
        assert browser_of(cast.auditor).get(f"/storage/exports/{export.uuid}/file/").status_code == 404
        page = browser_of(cast.auditor).get(f"/storage/volumes/{export.volume.uuid}/").content.decode()
        assert "openstack" not in page

    def test_it_is_gone_after_its_day(self, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
        stray = exported.path_of(export.uuid).with_name("stray.qcow2")
        stray.write_bytes(b"x")
        Export.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        later = time.time() + 120
        monkeypatch.setattr(time, "time", lambda: later)
        sweep_exports()
        assert not Export.objects.exists()
        assert list(Path(settings.EXPORTS_DIR).glob("*")) == []


@pytest.mark.parametrize("size", [512, MIB + 512, 600 * MIB])
def test_any_bytes_and_holes_come_out_as_they_went_in(tmp_path: Path, size: int) -> None:
    chance = random.Random(size)
    raw, packed = tmp_path / "raw", tmp_path / "packed.qcow2"
    with raw.open("wb") as file:
        file.truncate(size)
        for _ in range(30):
            at = chance.randrange(size)
            length = min(chance.randrange(1, 300_000), size - at)
            file.seek(at)
            file.write(chance.choice([chance.randbytes(length), b"a" * length, bytes(length)]))
    with raw.open("rb") as source, packed.open("w+b") as target:
        image: Any = CompressedImage(target, size_bytes=size)
        left = size
        while left:
            block = source.read(min(left, chance.randrange(1, 500_000)))
            left -= len(block)
            image.write(block) if block.strip(b"\0") else image.skip(len(block))
        image.finish()
    assert "No errors" in said("qemu-img", "check", str(packed))
    assert "identical" in said("qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(raw), str(packed))
