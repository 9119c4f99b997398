"""A stage on which each thing that an address can name exists."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import ApiToken
from domains.models import (
    Domain,
    DomainDevice,
    DomainDisk,
    DomainDraft,
    DomainNic,
    DomainState,
    Snapshot,
    SnapshotSchedule,
    Trashed,
)
from hosts.models import Host
from networks.models import Network
from operations.models import Operation, OperationState
from storage.models import Export, ExportState, Pool, Upload, Volume
from tests import sent
from tests.conftest import Cast
from tests.domains.history import changed_beside, draft_of

MAC = "52:54:00:00:00:01"


@dataclass(frozen=True)
class Stage:
    """The cast and one of each thing: the machine is the lead's and their team's, so is its operation."""

    cast: Cast
    host: Host
    pool: Pool
    network: Network
    volume: Volume
    upload: Upload
    export: Export
    domain: Domain
    operation: Operation
    token: ApiToken
    draft: DomainDraft
    snapshot: Snapshot

    def value(self, where: str, parameter: str) -> Any:
        """What stands in an address for `parameter`; `where` is a page's name or a REST path."""
        things: dict[str, Any] = {
            r"hosts|on_host|domains:(drain|bring_back)$": self.host.uuid,
            r"storage:(pool|new_volume|refresh)|/pools/": self.pool.uuid,
            r"storage:(export_file|drop_export)|/exports": self.export.uuid,
            r"storage:.*upload|/uploads": self.upload.uuid,
            r"storage:.*volume|/volumes": self.volume.uuid,
            r"networks": self.network.uuid,
            r"domains|console": self.domain.uuid,
            r"operations": self.operation.pk,
            r"token": self.token.pk,
            r"team|member": self.cast.team.pk,
            r"person|people|password": self.cast.member.pk,
        }
        if parameter == "verb":
            return "ping" if "guest" in where else "start"
        if parameter == "target":
            return "sda" if re.search(r"drive|medium", where) else "vda"
        if parameter == "group":
            return "clock"
        if parameter == "key":
            return "name"
        if parameter == "mac":
            return MAC
        if parameter in ("number", "other"):
            return 1
        if parameter == "snapshot_uuid":
            return self.snapshot.uuid
        if parameter == "draft_uuid":
            return self.draft.uuid
        if parameter in ("member", "person_id"):
            return self.cast.member.pk
        return next(key for pattern, key in things.items() if re.search(pattern, where))

    def body(self, line: str) -> str:
        """What a REST call sends."""
        things = {
            "HOST": self.host.uuid,
            "MACHINE": self.domain.uuid,
            "POOL": self.pool.uuid,
            "PERSON": self.cast.member.pk,
        }
        text = json.dumps(sent.BODIES.get(line, {}))
        for word, key in things.items():
            text = text.replace(word, str(key))
        return text

    def key(self, kind: str) -> str:
        """What a page watches of a live topic; a list of everything is watched as "all"."""
        keys: dict[str, Any] = {
            r"operations|domains|trash|hosts|storage|networks|usage|overview-.*": "all",
            r"drawer": self.cast.lead.pk,
            r"operation.*|upload-storing": self.operation.pk,
            r"host.*": self.host.uuid,
            r"network.*": self.network.uuid,
            r"uploads": self.cast.operator.pk,
            r"preflight": self.domain.uuid,
            r"pool": self.pool.uuid,
            r"domain-.*|console-.*|screen|running-definition": self.domain.uuid,
        }
        return str(next(key for pattern, key in keys.items() if re.fullmatch(pattern, kind)))


@pytest.fixture
def stage(cast: Cast, host: Host) -> Stage:
    return make_stage(cast, host)


def make_stage(cast: Cast, host: Host) -> Stage:
    """In the database."""
    host.transport, host.address, host.username = "ssh", "kvm1.example.org", "kvmpanel"
    host.save()
    space = {"capacity_bytes": 10**12, "available_bytes": 10**12}
    pool = Pool.objects.create(host=host, uuid=uuid4(), name="default", kind="dir", state="running", **space)
    domain = Domain.objects.create(
        host=host, name="web1", owner=cast.lead, team=cast.team, state=DomainState.OFF, has_screen=True
    )
    DomainDisk.objects.create(domain=domain, target="vda", bus="virtio", device="disk", path="/pool/vda")
    DomainDisk.objects.create(domain=domain, target="sda", bus="sata", device="cdrom", readonly=True)
    DomainNic.objects.create(domain=domain, mac=MAC, kind="network", source="default", model="virtio")
    DomainDevice.objects.create(domain=domain, kind="video", key="video:vga", model="vga")
    changed_beside(domain)
    SnapshotSchedule.objects.create(domain=domain, actor=cast.lead, next_at=timezone.now())
    Trashed.objects.create(domain=domain, host=host, since=timezone.now(), until=timezone.now())
    volume = Volume.objects.create(pool=pool, name="old.iso", label="old")
    return Stage(
        cast=cast,
        host=host,
        pool=pool,
        network=Network.objects.create(host=host, uuid=uuid4(), name="default", active=True),
        volume=volume,
        export=Export.objects.create(
            owner=cast.operator, volume=volume, filename="old.qcow2", state=ExportState.READY
        ),
        upload=Upload.objects.create(owner=cast.operator, pool=pool, filename="new.iso", size_bytes=1),
        domain=domain,
        operation=Operation.objects.create(
            kind="domain.start",
            title="Start web1",
            target_kind="domain",
            target_id=uuid4(),
            target_name="web1",
            actor=cast.lead,
            team=cast.team,
            state=OperationState.RUNNING,
        ),
        token=ApiToken.objects.create(user=cast.operator, name="program", digest="0" * 64),
        draft=draft_of(domain, cast.superuser),
        snapshot=Snapshot.objects.create(domain=domain, name="before", current=True),
    )
