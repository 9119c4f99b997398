"""A host whose libvirt is older than what the panel is made for: what it can is done, what it can't is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from domains.actions.create import create
from domains.actions.delete import delete
from domains.models import Domain, DomainState
from domains.wishes import NewDomain
from hosts.actions import check
from hosts.connections import act_as
from hosts.models import CheckState, Host, HostCheck, HostState
from monitoring.models import Usage
from operations.models import Operation, OperationState
from storage.models import Pool, Volume
from tests.conftest import Cast
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.lab.machines import machine
from tests.lab.older import OlderHost
from tests.stage import carry_out, read
from tests.watcher.conftest import is_in, watching

# Versions, and the last procedure of the protocol that each knows: of January 2020, and of August 2014, when there was
# no virConnectGetAllDomainStats and no virDomainDefineXMLFlags yet.
OLD, LAST_OF_OLD = "6.0.0", 425
ANCIENT, LAST_OF_ANCIENT = "1.2.7", 343


@contextmanager
def older(lab_host: LabHost, folder: Path, *, version: str, last_procedure: int) -> Iterator[Host]:
    socket = folder / "old.sock"
    with OlderHost(socket, real=lab_host.socket, version=version, last_procedure=last_procedure):
        yield Host.objects.create(name="old", socket=str(socket))


@pytest.fixture
def old(transactional_db: None, lab_host: LabHost, tmp_path: Path) -> Iterator[Host]:
    with older(lab_host, tmp_path, version=OLD, last_procedure=LAST_OF_OLD) as host:
        yield host


@pytest.fixture
def ancient(transactional_db: None, lab_host: LabHost, tmp_path: Path) -> Iterator[Host]:
    with older(lab_host, tmp_path, version=ANCIENT, last_procedure=LAST_OF_ANCIENT) as host:
        yield host


class TestAnOldHost:
    def test_is_watched(self, old: Host, lab_host: LabHost) -> None:
        with machine(lab_host, "web1") as made, watching():
            eventually(partial(is_in, old, HostState.UP), within_s=20)
            eventually(Domain.objects.present().filter(uuid=made.uuid, host=old).exists, within_s=10)
            made.virsh("start")
            eventually(Domain.objects.filter(uuid=made.uuid, state=DomainState.RUNNING).exists, within_s=10)
            eventually(Usage.objects.filter(domain__uuid=made.uuid).exists, within_s=20)

    def test_is_told_to_be_old(self, old: Host, cast: Cast) -> None:
        act_as("worker")
        operation = check.again(host=old, actor=cast.superuser)
        assert carry_out(operation.pk).state == OperationState.SUCCEEDED

        row = HostCheck.objects.get(host=old, key="libvirt")
        assert row.state == CheckState.WARNING
        assert OLD in row.detail
        assert "upgrade" in row.fix

    def test_makes_and_deletes_machines(self, old: Host, cast: Cast, lab_host: LabHost) -> None:
        ended = make(old, cast)
        assert (ended.state, ended.error) == (OperationState.SUCCEEDED, "")
        made = Domain.objects.get(host=old)
        assert lab_host.virsh("domstate", str(made.uuid)).strip() == made.state == DomainState.RUNNING

        disks = Volume.objects.values_list("uuid", flat=True)
        ended = carry_out(delete(domain=made, volumes=list(disks), actor=cast.operator).pk)
        assert (ended.state, ended.error) == (OperationState.SUCCEEDED, "")
        assert list(lab_host.pool_path.iterdir()) == []


class TestAnAncientHost:
    def test_is_blocked_with_the_reason_and_harms_no_other(self, ancient: Host, lab_host: LabHost) -> None:
        near = Host.objects.create(name="near", socket=str(lab_host.socket))
        with watching():
            eventually(partial(is_in, ancient, HostState.BLOCKED), within_s=20)
            eventually(partial(is_in, near, HostState.UP), within_s=20)
        assert "too old" in ancient.error

    def test_says_what_it_can_not_do_and_leaves_nothing(
        self, ancient: Host, cast: Cast, lab_host: LabHost
    ) -> None:
        ended = make(ancient, cast)

        assert ended.state == OperationState.FAILED
        assert "too old" in ended.error
        assert "can't do this" in ended.fix
        assert ended.left_behind == ""
        assert not Domain.objects.present().exists()
        assert list(lab_host.pool_path.iterdir()) == []


def make(host: Host, cast: Cast) -> Operation:
    """A machine on it, as far as that goes."""
    act_as("worker")
    read(host)
    host.refresh_from_db()
    pool = Pool.objects.get(host=host, name="default")
    wish = NewDomain(host=host, name="web1", vcpus=1, memory_mib=64, pool=pool, disk_gib=1)
    return carry_out(create(new=wish, actor=cast.operator).pk)
