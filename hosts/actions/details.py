"""What people say of a host, checked: where it is, how it is reached, what it is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from core.errors import InvalidInput
from hosts.models import Host, Transport
from hypervisor import uri
from hypervisor.errors import Invalid

# The user that "Prepare this host" makes there.
USERNAME: Final = "kvmpanel"
MOST_LABELS: Final = 20
LABEL_RULE: Final = "Letters, digits and . _ - =, at most 40 characters."
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,39}")
LEAST_OVERCOMMIT: Final = 0.1
MOST_OVERCOMMIT: Final = 64.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDetails:
    """All that a person can say of a host.

    `port` None is the transport's own. `name` blank is the address. `username` is for SSH; with TLS or TCP it is the
    user of the SSH connection through which consoles go. `insecure` says yes to a transport without encryption.
    """

    transport: Transport
    address: str = ""
    port: int | None = None
    username: str = ""
    name: str = ""
    labels: Sequence[str] = ()
    description: str = ""
    migration_address: str = ""
    cpu_overcommit: float = 4.0
    memory_overcommit: float = 1.0
    insecure: bool = False


def columns(details: HostDetails, *, of: Host | None) -> dict[str, Any]:
    """The owned columns for `details`; `of` is the host they are about, None for a new one. Raises InvalidInput."""
    where = _where(details)
    others = Host.objects.present().exclude(pk=of.pk if of else None)
    _refuse_same_place(where, others)
    return {
        **where,
        "name": _name(details.name.strip() or where["address"] or "localhost", of=of),
        "labels": _labels(details.labels),
        "description": details.description.strip()[:4000],
        "migration_address": _place(details.migration_address, "migration_address")
        if details.migration_address.strip()
        else "",
        "cpu_overcommit": _ratio(details.cpu_overcommit, "cpu_overcommit"),
        "memory_overcommit": _ratio(details.memory_overcommit, "memory_overcommit"),
    }


def _where(details: HostDetails) -> dict[str, Any]:
    if details.transport == Transport.LOCAL:
        return {"transport": Transport.LOCAL, "address": "", "port": None, "username": ""}
    address = _place(details.address, "address")
    port = details.port
    if port is not None and not 0 < port < 65536:
        raise InvalidInput("A port is a number from 1 to 65535.", field="port")
    username = details.username.strip()
    if not username and details.transport == Transport.SSH:
        username = USERNAME
    if username:
        try:
            uri.Address(
                transport=uri.Transport.SSH, hostname=address, username=username, credentials="/nowhere"
            )
        except Invalid as error:
            raise InvalidInput(
                str(error), field="username", fix="Small letters, digits, _ and -, 32 at most."
            ) from error
    return {"transport": details.transport, "address": address, "port": port, "username": username}


def _place(text: str, field: str) -> str:
    """The address in the one way it is kept: small letters, IPv6 compressed."""
    address = text.strip(" ")
    try:
        uri.Address(transport=uri.Transport.TCP, hostname=address)
    except Invalid as error:
        raise InvalidInput(
            str(error),
            field=field,
            fix="Give the name or the IP address alone, such as kvm2.example.org or 192.0.2.7.",
        ) from error
    # Not before it was looked at: there are other letters whose small form is one of these.
    return ip_address(address).compressed if ":" in address else address.lower()


def _refuse_same_place(where: dict[str, Any], others: Any) -> None:
    same = {key: where[key] for key in ("transport", "address", "port")}
    other = others.filter(**same).first()
    if other is None:
        return
    if where["transport"] == Transport.LOCAL:
        raise InvalidInput(f"This machine is there already, as {other.name}.", field="transport")
    raise InvalidInput(f"{other.name} has this address already.", field="address")


def _name(name: str, *, of: Host | None) -> str:
    if len(name) > 80 or not name.isprintable():
        raise InvalidInput("A name is one line of at most 80 characters.", field="name")
    if Host.objects.filter(name__iexact=name).exclude(pk=of.pk if of else None).exists():
        raise InvalidInput(f"Another host is called {name}.", field="name", fix="Choose another name.")
    return name


def _labels(labels: Sequence[str]) -> list[str]:
    found = sorted({label.strip() for label in labels if label.strip()})
    for label in found:
        if not _LABEL.fullmatch(label):
            raise InvalidInput(f"“{label[:40]}” can't be a label.", field="labels", fix=LABEL_RULE)
    if len(found) > MOST_LABELS:
        raise InvalidInput(f"A host has at most {MOST_LABELS} labels.", field="labels")
    return found


def _ratio(value: float, field: str) -> float:
    if not LEAST_OVERCOMMIT <= value <= MOST_OVERCOMMIT:
        raise InvalidInput(
            f"The ratio is a number from {LEAST_OVERCOMMIT:g} to {MOST_OVERCOMMIT:g}.", field=field
        )
    return round(value, 2)
