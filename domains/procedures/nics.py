"""A network card changed in place: in this run first, then for the next start, keeping its address."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from accounts.permissions import Verb
from core.errors import Conflict
from domains.device_wishes import NicWish
from domains.procedures.devices import check_place, limits_told
from domains.procedures.steps import domain_on_host, refresh, show
from hypervisor.facts import NicFacts
from hypervisor.specs import NicChange
from hypervisor.xml.nics import fulfils
from operations.procedures import Step, procedure
from operations.run import Run

# So long a guest sees its cable pulled: it asks the new network for an address when the link is back.
LINK_DOWN_S: Final = 1.0


class KeepBefore(Step):
    """What the card is now, to be made again where the change is taken back."""

    title = "Look at the card"

    def do(self, run: Run) -> None:
        """Raise Conflict where the card is gone, or was moved since its person looked."""
        if "before" in run.params:
            return
        wish, mac = NicWish(**run.params["wish"]), run.params["mac"]
        if wish.kind is not None and wish.source is not None:
            check_place(run, wish.kind, wish.source)
        with domain_on_host(run.params) as (hypervisor, uuid):
            defined, live = hypervisor.read_nic(uuid, mac)
            if defined is None and live is None:
                raise Conflict(f"The machine has no card {mac} any more.")
            self._check_unmoved(run, live or defined)
            elements = hypervisor.nic_elements(uuid, mac)
            run.keep(before={"defined": elements[0], "live": elements[1]}, link_up=_link(live or defined))

    def _check_unmoved(self, run: Run, nic: NicFacts | None) -> None:
        seen, wish = run.params.get("seen"), run.params["wish"]
        place = None if nic is None else [nic.kind, nic.source]
        if seen and wish["source"] and place not in (seen, [wish["kind"], wish["source"]]):
            raise Conflict("The card was moved meanwhile.", fix="Look at it again.")


class ChangeNow(Step):
    """In this run. A card that moves loses its link for a moment, and with it the guest its old address."""

    title = "Change it now"

    def probe(self, run: Run) -> bool:
        """Whether the machine is off, or its card is as it should be."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            live = hypervisor.read_nic(uuid, run.params["mac"])[1]
            return live is None or fulfils(live, _now(run))

    def do(self, run: Run) -> None:
        """One call, or two around a pause where it moves."""
        mac, change = run.params["mac"], _now(run)
        with domain_on_host(run.params) as (hypervisor, uuid):
            live = hypervisor.read_nic(uuid, mac)[1]
            if live is None:
                return
            place = (change.kind or live.kind, change.source or live.source)
            if change.link_up and (not live.link_up or place != (live.kind, live.source)):
                with limits_told():
                    hypervisor.change_nic_now(uuid, mac, replace(change, link_up=False))
                time.sleep(LINK_DOWN_S)
            with limits_told():
                hypervisor.change_nic_now(uuid, mac, change)

    def undo(self, run: Run) -> None:
        """As it was, the link bounced once more."""
        before = run.params.get("before", {}).get("live", "")
        if not before:
            return
        mac = run.params["mac"]
        with domain_on_host(run.params) as (hypervisor, uuid):
            if hypervisor.read_nic(uuid, mac)[1] is None:
                return
            if run.params["wish"]["source"]:
                hypervisor.change_nic_now(uuid, mac, NicChange(link_up=False))
                time.sleep(LINK_DOWN_S)
            hypervisor.restore_nic(uuid, mac, live=before)
            show(run)


class ChangeDefinition(Step):
    """For the next start."""

    title = "Change it for the next start"

    def probe(self, run: Run) -> bool:
        """Whether the definition has it so, or has no such card."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            defined = hypervisor.read_nic(uuid, run.params["mac"])[0]
            return defined is None or fulfils(defined, _wished(run))

    def do(self, run: Run) -> None:
        """The model, too, which no run can change."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            hypervisor.define_nic(uuid, run.params["mac"], _wished(run))

    def undo(self, run: Run) -> None:
        """As it was."""
        before = run.params.get("before", {}).get("defined", "")
        if not before:
            return
        with domain_on_host(run.params) as (hypervisor, uuid):
            hypervisor.restore_nic(uuid, run.params["mac"], defined=before)
            show(run)


class Record(Step):
    """What came of it."""

    title = "Look at the card again"

    def do(self, run: Run) -> None:
        """Read it, and say what waits for the next start."""
        domain = refresh(run.params)
        nic = domain.nics.filter(mac__iexact=run.params["mac"]).first()
        if nic is not None and nic.pending:
            names = ", ".join(f"{name} {value}" for name, value in nic.pending)
            run.log(f"With the next start: {names}.")


def _wished(run: Run) -> NicChange:
    return NicWish(**run.params["wish"]).change()


def _now(run: Run) -> NicChange:
    """What a run can change: all but the model. The link ends as it was where nobody spoke of it."""
    change = replace(_wished(run), model=None)
    return replace(change, link_up=run.params["link_up"]) if change.link_up is None else change


def _link(nic: NicFacts | None) -> bool:
    return nic is None or nic.link_up


@procedure("domain.nic.change", verb=Verb.DOMAIN_EDIT)
def change_nic(params: dict[str, Any]) -> Sequence[Step]:
    """Network, link and limits now and for the next start; the model for that alone."""
    return [KeepBefore(), ChangeNow(), ChangeDefinition(), Record()]
