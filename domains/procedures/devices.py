"""Devices plugged into a machine and taken out of it: now where QEMU can, else with the next start."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from accounts.permissions import Verb
from core.errors import Conflict
from domains.cards import BRIDGE, holder
from domains.device_wishes import COLD, NewDevice, NewNic
from domains.passthrough import offers, spec
from domains.procedures.steps import domain_on_host, host_of, refresh, show
from hosts.connections import borrow
from hosts.devices import record_devices
from hypervisor.device_facts import Presence
from hypervisor.device_specs import DeviceSpec
from hypervisor.errors import HypervisorError
from hypervisor.xml.peripherals import key_for
from operations.procedures import Step, procedure
from operations.run import Later, Run

_LOOK_EVERY_S: Final = 0.1
_LOOK_FOR_S: Final = 3.0
_ASK_EVERY_S: Final = 3.0
# A guest that is still booting hears of it only afterwards.
PATIENCE_S: Final = 45.0


class CheckCard(Step):
    """Two people may have chosen one address at the same moment, and a bridge may be gone."""

    title = "Check address and network"

    def do(self, run: Run) -> None:
        """Raise Conflict where the address is taken, or the place is not on the host."""
        nic = NewNic(**run.params["nic"])
        name = holder(nic.mac, without=run.operation)
        if name:
            raise Conflict(f"{name} has the MAC address {nic.mac}.", fix="Choose another one.")
        check_place(run, nic.kind, nic.source)


class CheckHostDevice(Step):
    """What could be given a minute ago may be in use by now."""

    title = "Check the device"

    def do(self, run: Run) -> None:
        """Raise Conflict where it can't be given to the machine (any more)."""
        if run.params.get("begun"):
            return
        host = host_of(run.params)
        with borrow(host) as hypervisor:
            record_devices(host, hypervisor.list_host_devices())
        domain = refresh(run.params)
        name = run.params["device"]
        offer = next((offer for offer in offers(domain) if offer.device.name == name), None)
        if offer is None:
            raise Conflict("The host has this device no more.", fix="Plug it in, and try again.")
        if offer.reason:
            raise Conflict(offer.reason)


class PlugIn(Step):
    """One device. What was there before is never taken for ours."""

    title = "Plug it in"

    def __init__(self, spec: DeviceSpec) -> None:
        self.spec = spec
        self.key = key_for(spec)

    def probe(self, run: Run) -> bool:
        """Whether it is in this run and in the definition, by us."""
        if not run.params.get("begun"):
            return False
        with domain_on_host(run.params) as (hypervisor, uuid):
            return hypervisor.device_presence(uuid, self.key) is Presence.BOTH

    def do(self, run: Run) -> None:
        """Raise Conflict where somebody else was faster."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            if not run.params.get("begun"):
                if hypervisor.device_presence(uuid, self.key) is not None:
                    raise Conflict("The virtual machine has such a device already.")
                run.keep(begun=True)
            with limits_told():
                present = hypervisor.plug_device(uuid, self.spec)
            if present is Presence.NEXT:
                run.log("It can't be plugged in while the machine runs: it is there from the next start on.")
            show(run)

    def undo(self, run: Run) -> None:
        """Take it out again. Raises Conflict where the guest keeps it."""
        if not run.params.get("begun"):
            return
        with domain_on_host(run.params) as (hypervisor, uuid):
            hypervisor.forget_device(uuid, self.key)
            _ask_for(run, self.key)
            if hypervisor.has_device_now(uuid, self.key):
                raise Conflict("The guest keeps the device until it stops.")
            show(run)


class TakeOut(Step):
    """A guest can't be asked to keep what it was asked to let go of: from then on there is no way back."""

    title = "Take it out"
    point_of_no_return = True

    def __init__(self, key: str, *, cold: bool) -> None:
        self.key = key
        self.cold = cold

    def probe(self, run: Run) -> bool:
        """Whether it is neither in this run nor in the definition."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            return hypervisor.device_presence(uuid, self.key) is None

    def do(self, run: Run) -> None:
        """Raise Later while the guest holds it, and Conflict where it does not let go."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            here = hypervisor.has_device_now(uuid, self.key)
            if here and not self.cold:
                if "asked_at" not in run.params:
                    run.keep(asked_at=time.time())
                if not _ask_for(run, self.key):
                    self._wait_on(run)
            hypervisor.forget_device(uuid, self.key)
            if here and self.cold:
                run.log("It can't be taken out while the machine runs: it is gone when the machine stops.")
            show(run)

    def _wait_on(self, run: Run) -> None:
        if time.time() - run.params["asked_at"] > PATIENCE_S:
            raise Conflict(
                "The guest does not let go of the device.",
                fix="Stop using it there and try again, or shut the machine down first.",
            )
        raise Later(after_s=_ASK_EVERY_S, message="Waiting for the guest to let go of it")


class SetVideo(Step):
    """Another model of the video card, for the next start."""

    title = "Change the video card"

    def do(self, run: Run) -> None:
        """What it was is kept first, to be taken back."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            if "before" not in run.params:
                run.keep(before=hypervisor.video_element(uuid))
            hypervisor.define_video(uuid, run.params["model"])
            show(run)

    def undo(self, run: Run) -> None:
        """As it was."""
        if "before" not in run.params:
            return
        with domain_on_host(run.params) as (hypervisor, uuid):
            hypervisor.restore_video(uuid, run.params["before"])
            show(run)


@contextmanager
def limits_told() -> Iterator[None]:
    """Say what a host lacks whose kernel can't limit cards; libvirt gives the command that failed."""
    try:
        yield
    except HypervisorError as error:
        if "(tc " not in error.message:
            raise
        raise Conflict(
            "The host's kernel can't limit network cards.",
            fix="Leave the limits blank, or give its kernel sch_htb, sch_sfq, sch_ingress and act_police.",
        ) from error


def check_place(run: Run, kind: str, source: str) -> None:
    """Raise Conflict where the host has no such network or bridge; libvirt would tell only at the next start."""
    with borrow(host_of(run.params)) as hypervisor:
        if kind == BRIDGE:
            bridges = {bridge.name for bridge in hypervisor.list_bridges()}
            missing = bool(bridges) and source not in bridges
        else:
            missing = hypervisor.find_network_by_name(source) is None
    if missing:
        raise Conflict(f"The host has no {kind} {source} any more.", fix="Choose another one.")


def _ask_for(run: Run, key: str) -> bool:
    """Ask the guest for the device, and look for a moment whether it let go."""
    with domain_on_host(run.params) as (hypervisor, uuid):
        try:
            hypervisor.unplug_device(uuid, key)
        except HypervisorError as error:
            # QEMU's answer to a second request while the first one is not heeded yet.
            if type(error) is not HypervisorError or "unplug" not in error.message:
                raise
        ends = time.monotonic() + _LOOK_FOR_S
        while hypervisor.has_device_now(uuid, key):
            if time.monotonic() > ends:
                return False
            time.sleep(_LOOK_EVERY_S)
    return True


@procedure("domain.nic.add", verb=Verb.DOMAIN_EDIT)
def add_nic(params: dict[str, Any]) -> Sequence[Step]:
    """A network card, with the address that was chosen before."""
    return [CheckCard(), PlugIn(NewNic(**params["nic"]).spec())]


@procedure("domain.nic.detach", verb=Verb.DOMAIN_EDIT)
def detach_nic(params: dict[str, Any]) -> Sequence[Step]:
    """The card of an address."""
    return [TakeOut(f"nic:{params['mac']}", cold=False)]


@procedure("domain.device.add", verb=Verb.DOMAIN_EDIT)
def add_device(params: dict[str, Any]) -> Sequence[Step]:
    """One of `device_wishes.ADDABLE`."""
    return [PlugIn(NewDevice(**params["device"]).spec())]


@procedure("domain.device.detach", verb=Verb.DOMAIN_EDIT)
def detach_device(params: dict[str, Any]) -> Sequence[Step]:
    """The device of a key."""
    return [TakeOut(params["key"], cold=params["kind"] in COLD)]


@procedure("domain.device.change", verb=Verb.DOMAIN_EDIT)
def change_device(params: dict[str, Any]) -> Sequence[Step]:
    """The video card's model."""
    return [SetVideo()]


@procedure("domain.hostdev.attach", verb=Verb.DOMAIN_PASSTHROUGH)
def attach_host_device(params: dict[str, Any]) -> Sequence[Step]:
    """A device of the host."""
    return [CheckHostDevice(), PlugIn(spec(params["spec"]))]


@procedure("domain.hostdev.detach", verb=Verb.DOMAIN_PASSTHROUGH)
def detach_host_device(params: dict[str, Any]) -> Sequence[Step]:
    """A device of the host, by its key."""
    return [TakeOut(params["key"], cold=False)]
