"""Adding, changing and removing hosts. None of it touches what lies on them."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from hosts import busy, credentials, inventory, keys
from hosts.actions import check
from hosts.actions.details import HostDetails, columns
from hosts.models import Credentials, Host, Transport
from operations.models import Operation

_WHERE: Final = ("transport", "address", "port", "username")


@transaction.atomic
def add(*, actor: User, details: HostDetails) -> Host:
    """Take a machine up and begin to check it; it is kept whatever the checks say.

    Raises Forbidden, InvalidInput, and Conflict where somebody was faster with the same name.
    """
    require(actor, Verb.HOST_MANAGE)
    values = columns(details, of=None)
    values |= _insecurity(actor, details, before=None)
    if details.transport == Transport.LOCAL:
        values["socket"] = settings.LIBVIRT_SOCKET
    try:
        with transaction.atomic():
            host = Host.objects.create(**values)
    except IntegrityError as error:
        raise Conflict("Somebody added a host of this name just now.", fix="Choose another name.") from error
    _equip(host)
    audit.record(
        actor, "host.add", target=host, **{key: values[key] for key in _WHERE}, insecure=_insecure(host)
    )
    inventory.note(host, "added", f"Added by {actor}.")
    inventory.tell(host)
    check.soon(host, actor=actor)
    return host


@transaction.atomic
def change(*, host: Host, actor: User, details: HostDetails) -> None:
    """Say something else of `host`; where it is reached otherwise from now on, it is checked anew.

    Raises Forbidden, InvalidInput, Conflict.
    """
    require(actor, Verb.HOST_MANAGE, host)
    if (details.transport == Transport.LOCAL) != (host.transport == Transport.LOCAL):
        raise InvalidInput(
            "This machine and another one are two hosts.",
            field="transport",
            fix="Add the other one as a host.",
        )
    values = columns(details, of=host)
    values |= _insecurity(actor, details, before=host)
    different = {key: value for key, value in values.items() if getattr(host, key) != value}
    if not different:
        return
    try:
        with transaction.atomic():
            Host.objects.filter(pk=host.pk).update(**different)
    except IntegrityError as error:
        raise Conflict("Somebody gave this name to a host just now.", fix="Choose another one.") from error
    told = {key: value for key, value in different.items() if key != "insecure_since"}
    audit.record(actor, "host.change", target=host, insecure=values["insecure_since"] is not None, **told)
    host.refresh_from_db()
    if different.keys() & set(_WHERE):
        _equip(host)
        inventory.note(host, "changed", f"{actor} changed how it is reached.")
        inventory.record_changed_access(host)
        check.soon(host, actor=actor)
    inventory.tell(host)


@transaction.atomic
def remove(*, host: Host, actor: User) -> None:
    """Forget `host` and the panel's credentials for it; its machines run on, unseen.

    Raises Forbidden, and Conflict while something is at work on it, on its machines or on its volumes.
    """
    require(actor, Verb.HOST_MANAGE, host)
    # Whoever writes rows of this host just now comes first, and is seen below.
    Host.objects.select_for_update().get(pk=host.pk)
    own = Operation.objects.active().about("host", host.uuid).exclude(kind=check.KIND).first()
    at_work = own or busy.with_things_of(host)
    if at_work is not None:
        raise Conflict(
            f"Something is still at work here: {at_work.title}.", fix="Wait for its end, or cancel it."
        )
    audit.record(actor, "host.remove", target=host, address=host.address)
    # Its name and its UUID are free again: the machine may be added anew.
    freed = f"{host.name[:40]} {host.uuid}"
    Host.objects.filter(pk=host.pk).update(gone_at=Now(), name=freed, host_uuid=None)
    credentials.wipe(host)
    inventory.tell(host)
    inventory.state_changed.send(sender=Host, host=host)


def _insecurity(actor: User, details: HostDetails, *, before: Host | None) -> dict[str, Any]:
    """When somebody said yes to TCP: a right of its own, asked for at each host and again at each change to it."""
    if details.transport != Transport.TCP:
        return {"insecure_since": None}
    where = (details.transport, details.address, details.port)
    if before is not None and where == (before.transport, before.address, before.port):
        return {"insecure_since": before.insecure_since}
    require(actor, Verb.HOST_INSECURE)
    if not details.insecure:
        raise InvalidInput(
            "Over TCP nothing is encrypted and nobody has to sign in: whoever reaches this port owns the host.",
            field="insecure",
            fix="Use SSH, or say that you want it all the same.",
        )
    return {"insecure_since": timezone.now()}


def _insecure(host: Host) -> bool:
    return host.insecure_since is not None


def _equip(host: Host) -> None:
    """See that the panel has a key pair of its own for each host that it reaches by SSH, if only for consoles."""
    known, _ = Credentials.objects.unopened().get_or_create(host=host)
    if host.username and Credentials.objects.filter(pk=known.pk, ssh_private_key="").exists():
        pair = keys.generate_key_pair("kvm-panel")
        known.ssh_private_key, known.ssh_public_key = pair.private, pair.public
        known.save()
