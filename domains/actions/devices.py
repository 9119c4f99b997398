"""Asking for network cards and other devices: the wish is checked here, the host by the operation."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from django.db import transaction

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from domains import names
from domains.actions.ask import ask
from domains.cards import BRIDGE, NETWORK, holder, places
from domains.device_wishes import FIXED, OF_HOST, VIDEO_MODELS, NewDevice, NewNic, NicWish, parsed_mac
from domains.models import Domain, DomainDevice, DomainNic
from domains.passthrough import offers, params_of
from hypervisor.device_facts import DeviceKind
from operations import actions as operations
from operations.models import Operation


@transaction.atomic
def add_nic(*, domain: Domain, nic: NewNic, actor: User, idempotency_key: str | None = None) -> Operation:
    """Give it a network card. Raises InvalidInput, Conflict, TargetBusy, Forbidden."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, "domain.nic.add", domain)
    if before is not None:
        return before
    nic = nic.checked()
    _check_place(actor, domain, nic.kind, nic.source)
    nic = replace(nic, mac=_free_mac(nic.mac))
    return ask(
        "domain.nic.add",
        domain=domain,
        actor=actor,
        params={"nic": asdict(nic)},
        details={"mac": nic.mac, nic.kind: nic.source, "model": nic.model},
        idempotency_key=idempotency_key,
    )


@transaction.atomic
def change_nic(
    *, domain: Domain, mac: str, wish: NicWish, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Change the card of that address in place. Raises InvalidInput, Conflict, TargetBusy, Forbidden."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    wish = wish.checked()
    nic = nic_of(domain, mac)
    if (
        wish.kind is not None
        and wish.source is not None
        and (wish.kind, wish.source) != (nic.kind, nic.source)
    ):
        if nic.kind not in (NETWORK, BRIDGE):
            raise Conflict(f"This card is of kind {nic.kind}: it can only be changed in the definition.")
        _check_place(actor, domain, wish.kind, wish.source)
    return ask(
        "domain.nic.change",
        domain=domain,
        actor=actor,
        params={"mac": nic.mac.lower(), "wish": asdict(wish), "seen": [nic.kind, nic.source]},
        details={"mac": nic.mac, **wish.told()},
        idempotency_key=idempotency_key,
    )


def detach_nic(*, domain: Domain, mac: str, actor: User, idempotency_key: str | None = None) -> Operation:
    """Take the card of that address out. Raises InvalidInput, Conflict, TargetBusy, Forbidden."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    key = {"mac": parsed_mac(mac)}
    before = operations.earlier(actor, idempotency_key, "domain.nic.detach", domain)
    if before is None:
        nic_of(domain, mac)
    return ask(
        "domain.nic.detach",
        domain=domain,
        actor=actor,
        params=key,
        details=key,
        idempotency_key=idempotency_key,
    )


def add_device(
    *, domain: Domain, device: NewDevice, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Give it another device. Raises InvalidInput, Conflict, TargetBusy, Forbidden."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, "domain.device.add", domain)
    if before is None and domain.devices.filter(kind=device.checked().kind).exists():
        raise Conflict("The virtual machine has such a device already.")
    return ask(
        "domain.device.add",
        domain=domain,
        actor=actor,
        params={"device": asdict(device)},
        details={"device": device.kind},
        idempotency_key=idempotency_key,
    )


def change_video(*, domain: Domain, model: str, actor: User, idempotency_key: str | None = None) -> Operation:
    """Another model of its video card, from the next start on. Raises InvalidInput, Conflict, TargetBusy, Forbidden."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    if model not in VIDEO_MODELS:
        raise InvalidInput("There is no such model of a video card.", field="model")
    if not domain.devices.filter(kind=DeviceKind.VIDEO).exists():
        raise Conflict("The virtual machine has no video card.")
    return ask(
        "domain.device.change",
        domain=domain,
        actor=actor,
        params={"model": model},
        details={"video": model},
        idempotency_key=idempotency_key,
    )


def detach_device(*, domain: Domain, key: str, actor: User, idempotency_key: str | None = None) -> Operation:
    """Take the device of that key out. Raises Conflict, TargetBusy, Forbidden."""
    return _detach("domain.device.detach", Verb.DOMAIN_EDIT, domain, key, actor, idempotency_key)


def attach_host_device(
    *, domain: Domain, device: str, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Give it the host's device of that name. Raises InvalidInput, Conflict with why not, TargetBusy, Forbidden."""
    kind = "domain.hostdev.attach"
    require(actor, Verb.DOMAIN_PASSTHROUGH, domain)
    before = operations.earlier(actor, idempotency_key, kind, domain)
    if before is not None:
        return before
    offer = next((offer for offer in offers(domain) if offer.device.name == device), None)
    if offer is None:
        raise InvalidInput("The host has no such device.", field="device")
    if offer.reason:
        raise Conflict(offer.reason)
    return ask(
        kind,
        domain=domain,
        actor=actor,
        params={"device": device, "spec": params_of(offer.device)},
        details={"device": offer.words, "address": offer.device.address},
        idempotency_key=idempotency_key,
    )


def detach_host_device(
    *, domain: Domain, key: str, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Give the device of that key back to the host. Raises Conflict, TargetBusy, Forbidden."""
    return _detach("domain.hostdev.detach", Verb.DOMAIN_PASSTHROUGH, domain, key, actor, idempotency_key)


def nic_of(domain: Domain, mac: str) -> DomainNic:
    """The one card of that address, as last seen. Raises InvalidInput, and Conflict where there is none, or are two."""
    found = list(domain.nics.filter(mac__iexact=parsed_mac(mac))[:2])
    if not found:
        raise Conflict(f"The machine has no card {mac}.", fix="Look at it again.")
    if len(found) > 1:
        raise Conflict(f"The machine has two cards {mac}: they can only be changed in its definition.")
    return found[0]


def _detach(
    kind: str, verb: Verb, domain: Domain, key: str, actor: User, idempotency_key: str | None
) -> Operation:
    require(actor, verb, domain)
    before = operations.earlier(actor, idempotency_key, kind, domain)
    if before is not None:
        return before
    device = _device_of(domain, key)
    if device.kind in FIXED or (device.kind in OF_HOST) != (verb == Verb.DOMAIN_PASSTHROUGH):
        raise Conflict("This device can't be taken out here.")
    params: dict[str, Any] = {"key": device.key, "kind": device.kind}
    return ask(
        kind, domain=domain, actor=actor, params=params, details=params, idempotency_key=idempotency_key
    )


def _device_of(domain: Domain, key: str) -> DomainDevice:
    device = domain.devices.filter(key=key).first()
    if device is None:
        raise Conflict("The machine has no such device.", fix="Look at it again.")
    return device


def _check_place(actor: User, domain: Domain, kind: str, source: str) -> None:
    place = next((p for p in places(actor, domain) if (p.kind, p.source) == (kind, source)), None)
    if place is None:
        raise InvalidInput(f"There is no {kind} of this name here that you may use.", field="source")
    if not place.active:
        raise InvalidInput(f"Network {source} is not active.", field="source")


def _free_mac(chosen: str) -> str:
    if not chosen:
        return names.fresh_mac()
    mac = parsed_mac(chosen)
    name = holder(mac)
    if name:
        raise InvalidInput(f"{name} has this MAC address.", field="mac")
    return mac
