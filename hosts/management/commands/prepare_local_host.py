"""Make this machine ready to hold virtual machines, and register it. Run by `bin/panel up` at each start."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import F

from hosts.connections import Hypervisor, act_as, open_new
from hosts.models import Host, Transport
from hypervisor.errors import AccessDenied, AlreadyInState, HypervisorError
from hypervisor.specs import NatNetworkSpec

POOL_PATH = "/var/lib/libvirt/images"


class Command(BaseCommand):
    help = "Registers this machine as a host and starts (or defines) its network and pool named default."

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError where libvirt doesn't answer; a network that can't start is said, not fatal."""
        here = {"transport": Transport.LOCAL, "socket": settings.LIBVIRT_SOCKET}
        # One that somebody removed is not brought back; they may have added it again, as another row.
        known = Host.objects.filter(**here).order_by(F("gone_at").asc(nulls_first=True)).first()
        host = known or Host.objects.create(**here, name=self._free_name())
        act_as("command")
        try:
            hypervisor = open_new(host)
        except AccessDenied as error:
            raise CommandError(
                f"{getpass.getuser()} may not talk to libvirt ({error}). Run this, sign out and in again, then start "
                f"again:\n\n    sudo usermod -aG libvirt {getpass.getuser()}\n"
            ) from error
        except HypervisorError as error:
            raise CommandError(f"libvirt on this machine doesn't answer: {error}") from error
        try:
            self._say_trouble("network default", lambda: _ready_network(hypervisor))
            self._say_trouble("pool default", lambda: _ready_pool(hypervisor))
        finally:
            hypervisor.close()

    def _free_name(self) -> str:
        """ "This machine" may be a name that someone gave to another host."""
        return (
            "localhost" if not Host.objects.filter(name="localhost").exists() else f"localhost-{uuid.uuid4()}"
        )

    def _say_trouble(self, what: str, prepare: Callable[[], None]) -> None:
        try:
            prepare()
        except HypervisorError as error:
            self.stderr.write(f"The {what} could not be started: {error}")


def _ready_network(hypervisor: Hypervisor) -> None:
    network = hypervisor.find_network_by_name("default")
    if network is None:
        network = hypervisor.define_nat_network(
            NatNetworkSpec(
                uuid=uuid.uuid4(),
                name="default",
                bridge="virbr0",
                gateway=IPv4Interface("192.168.122.1/24"),
                dhcp_first=IPv4Address("192.168.122.2"),
                dhcp_last=IPv4Address("192.168.122.254"),
            )
        ).uuid
    if not hypervisor.read_network(network).active:
        _unless_so_already(lambda: hypervisor.start_network(network))


def _ready_pool(hypervisor: Hypervisor) -> None:
    pool = hypervisor.find_pool_by_name("default")
    if pool is None:
        hypervisor.define_dir_pool(uuid=uuid.uuid4(), name="default", path=POOL_PATH)
    else:
        _unless_so_already(lambda: hypervisor.start_pool(pool))


def _unless_so_already(start: Callable[[], None]) -> None:
    try:
        start()
    except AlreadyInState:
        return
