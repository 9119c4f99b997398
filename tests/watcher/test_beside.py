"""Thirty things that people do with virsh beside the panel: each is right in the inventory soon, events or not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

import watcher.news
from domains.models import Domain, DomainState, Duplicate
from hosts.models import Host, HostState
from hypervisor.events import ConnectionClosed, Event
from networks.models import Network
from storage.models import Pool
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.lab.machines import Machine, machine
from tests.watcher.conftest import Define, is_in, watching

BY_EVENT_S = 2.0
WITHOUT_S = 60.0

# What the commands after them take back, nobody can see any more without events.
TAKEN_BACK = {
    "start", "suspend", "resume", "net-define", "net-start", "net-destroy",
    "pool-define-as", "pool-start", "pool-destroy",
}  # fmt: skip

Check = Callable[[], bool]


@dataclass
class Beside:
    """A person at a shell of the host: two machines, a network and a pool that are theirs."""

    host: LabHost
    web: Machine
    db: Machine
    folder: Path

    def network(self, number: int) -> Path:
        """A definition that virsh can read."""
        file = self.folder / f"net{number}.xml"
        file.write_text(f"<network><name>net{number}</name><uuid>{uuid4()}</uuid></network>")
        return file

    def wider(self, vcpus: int) -> Path:
        """The definition of `db`, with more processors."""
        file = self.folder / f"db{vcpus}.xml"
        text = self.db.virsh("dumpxml", "--inactive")
        file.write_text(re.sub(r">\d+</vcpu>", f">{vcpus}</vcpu>", text))
        return file

    def shown(self, made: Machine, **columns: object) -> Check:
        """Whether the inventory shows the machine so."""
        return Domain.objects.present().filter(uuid=made.uuid, **columns).exists

    def deeds(self, number: int) -> Iterator[tuple[tuple[str, ...], Check]]:
        """Fifteen commands, each with what is true afterwards."""
        web, db, net, pool = str(self.web.uuid), str(self.db.uuid), f"net{number}", f"pool{number}"
        there = Domain.objects.present()
        networks = Network.objects.filter(name=net, gone_at=None)
        pools = Pool.objects.filter(name=pool, gone_at=None)
        yield ("start", web), self.shown(self.web, state=DomainState.RUNNING)
        yield ("suspend", web), self.shown(self.web, state=DomainState.PAUSED)
        yield ("resume", web), self.shown(self.web, state=DomainState.RUNNING)
        yield ("domrename", db, f"db-{number}"), self.shown(self.db, name=f"db-{number}")
        yield ("define", str(self.wider(number + 2))), self.shown(self.db, vcpus_max=number + 2)
        yield ("desc", db, "--config", f"round {number}"), self.shown(self.db, description=f"round {number}")
        yield ("net-define", str(self.network(number))), networks.exists
        yield ("net-start", net), networks.filter(active=True).exists
        yield ("net-destroy", net), networks.filter(active=False).exists
        yield ("net-undefine", net), lambda: not networks.exists()
        target = self.folder / pool
        target.mkdir()
        yield ("pool-define-as", pool, "dir", "--target", str(target)), pools.exists
        yield ("pool-start", pool), pools.filter(state="running").exists
        yield ("pool-destroy", pool), pools.filter(state="inactive").exists
        yield ("pool-undefine", pool), lambda: not pools.exists()
        yield ("destroy", web), there.filter(uuid=self.web.uuid, state=DomainState.OFF).exists


@pytest.fixture
def beside(watched: Host, lab_host: LabHost, define: Define, tmp_path: Path) -> Beside:
    return Beside(lab_host, define("web"), define("db"), tmp_path)


@pytest.fixture
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    with LabHost(tmp_path_factory.mktemp("second")) as host:
        yield host


class TestThirtyOperations:
    def test_fifteen_with_events_and_fifteen_without(
        self, beside: Beside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for command, check in beside.deeds(1):
            beside.host.virsh(*command)
            eventually(check, within_s=BY_EVENT_S)

        told = watcher.news.News.put

        def deaf(news: watcher.news.News, event: Event) -> None:
            if isinstance(event, ConnectionClosed):
                told(news, event)

        monkeypatch.setattr(watcher.news.News, "put", deaf)
        done = []
        for command, check in beside.deeds(2):
            beside.host.virsh(*command)
            done.append((command[0], check))
        end = time.monotonic() + WITHOUT_S
        for verb, check in done:
            if verb not in TAKEN_BACK:
                eventually(check, within_s=max(0.1, end - time.monotonic()))

    def test_nothing_on_the_host_is_touched(self, near: Host, lab_host: LabHost, define: Define) -> None:
        define("theirs").virsh("start")

        def everything() -> str:
            kinds = (("list", "dumpxml"), ("net-list", "net-dumpxml"), ("pool-list", "pool-dumpxml"))
            documents = [
                lab_host.virsh(show, name, "--inactive")
                for kind, show in kinds
                for name in lab_host.virsh(kind, "--all", "--name").split()
            ]
            # How full the machine's disk is changes by itself.
            return re.sub(r"<(allocation|available).*", "", "".join(documents))

        before = everything()
        with watching():
            eventually(partial(is_in, near, HostState.UP), within_s=20)
            time.sleep(3)

        assert everything() == before


class TestMovedByVirsh:
    def test_from_one_host_to_another(self, beside: Beside, second: LabHost) -> None:
        row = Host.objects.create(name="second", socket=str(second.socket))
        eventually(partial(is_in, row, HostState.UP), within_s=20)
        here = Domain.objects.present().filter(uuid=beside.web.uuid)

        with machine(second, "web", uuid=beside.web.uuid) as copy:
            eventually(Duplicate.objects.filter(host=row).exists, within_s=BY_EVENT_S)
            assert here.get().host != row

            beside.web.virsh("undefine")
            eventually(here.filter(host=row).exists, within_s=2 * BY_EVENT_S)
            assert not Duplicate.objects.exists()
            assert "web" in row.events.filter(kind="moved").get().text

            copy.virsh("start")
            eventually(here.filter(host=row, state=DomainState.RUNNING).exists, within_s=BY_EVENT_S)


class TestStorageThatHangs:
    @pytest.fixture
    def hanging(self, lab_host: LabHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A pool of LVM volumes on a host whose LVM programs wait while this file is there."""
        monkeypatch.setattr(watcher.aside, "STORAGE_S", 4.0)
        waits = lab_host.root / "waits"
        layer, work = lab_host.root / "sbin", lab_host.root / "sbin-work"
        for folder in (layer, work):
            folder.mkdir(exist_ok=True)
        for name in ("lvs", "pvs", "vgchange", "vgs", "vgscan"):
            said = {"vgs": "1073741824:1073741824", "pvs": "/dev/null vg"}.get(name, "")
            (layer / name).write_text(f"#!/bin/sh\nwhile [ -e {waits} ]; do sleep 0.1; done\necho '{said}'\n")
            (layer / name).chmod(0o755)
        layers = f"lowerdir=/usr/sbin,upperdir={layer},workdir={work}"
        lab_host.exec("mount", "-t", "overlay", "overlay", "-o", layers, "/usr/sbin")
        with ExitStack() as stack:
            stack.callback(lab_host.exec, "umount", "-l", "/usr/sbin")
            lab_host.virsh("pool-define-as", "lvm", "logical", "--source-name", "vg", "--target", "/dev/vg")
            stack.callback(lab_host.virsh, "pool-undefine", "lvm")
            lab_host.virsh("pool-start", "lvm")
            stack.callback(lab_host.virsh, "pool-destroy", "lvm")
            stack.callback(waits.unlink, missing_ok=True)
            yield waits

    def test_the_rest_goes_on_and_the_pool_is_named(self, near: Host, hanging: Path, define: Define) -> None:
        hanging.touch()
        with watching():
            eventually(partial(is_in, near, HostState.UP), within_s=20)
            eventually(Network.objects.filter(host=near).exists, within_s=5)
            pool = Pool.objects.filter(host=near, name="lvm")
            eventually(pool.filter(state="inaccessible").exists, within_s=15)
            made = define("web1")
            eventually(Domain.objects.filter(uuid=made.uuid).exists, within_s=BY_EVENT_S)

            hanging.unlink()
            eventually(near.events.filter(kind="storage", text__contains="again").exists, within_s=15)
            eventually(pool.filter(state="running").exists, within_s=60)
            assert is_in(near, HostState.UP)
