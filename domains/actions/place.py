"""Choosing where a new machine runs."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from core.errors import InvalidInput
from core.units import GIB
from domains import names
from domains.candidates import candidates, twins
from domains.placement import Need, Ranking, rank
from domains.wishes import Anywhere, NewDomain, Wish
from hosts.models import Host
from networks.models import Network
from storage.models import Pool

MOST_REASONS: Final = 4


def ranking(new: Anywhere, *, hold: bool = False) -> Ranking:
    """All hosts for `new`; with `hold`, inside a transaction, nobody else is placed before its end."""
    need = Need(
        name=new.name if names.valid(new.name) else "",
        vcpus=new.vcpus,
        memory_mib=new.memory_mib,
        disk_bytes=new.disk_gib * GIB,
        thin=new.disk_format == "qcow2",
        uefi=new.firmware == "uefi",
        network=new.network,
        iso=str(new.iso) if new.iso else "",
        labels=new.labels,
    )
    return rank(need, candidates(need, iso=new.iso, only=new.only, hold=hold))


def place(new: Anywhere) -> tuple[NewDomain, str]:
    """`new` on the best host, and why there, for the operation's log. Ask in the transaction that makes its rows.

    Raises InvalidInput where no host can take it.
    """
    found = ranking(new, hold=True)
    best = found.best
    if best is None or best.pool is None:
        raise nowhere(found)
    host = Host.objects.get(pk=best.host.key)
    network = Network.objects.get(host=host, name=new.network, gone_at=None) if new.network else None
    iso = twins(new.iso).filter(pool__host=host).select_related("pool").first() if new.iso else None
    plain = {field.name: getattr(new, field.name) for field in fields(Wish)}
    chosen = NewDomain(
        **{**plain, "iso": iso}, host=host, pool=Pool.objects.get(pk=best.pool.key), network=network
    )
    return chosen, _told(found)


def nowhere(found: Ranking) -> InvalidInput:
    """That no host can take it, and what is in the way on the first few."""
    reasons = [f"{refusal.host.name}: {refusal.why}." for refusal in found.refusals[:MOST_REASONS]]
    more = len(found.refusals) - len(reasons)
    if more > 0:
        reasons.append(f"The same or the like on {more} more.")
    return InvalidInput("No host can take it now.", field="host", fix=" ".join(reasons))


def _told(found: Ranking) -> str:
    first, *others = found.places
    lines = [f"Placed on {first.host.name}: {first.why}.", found.note]
    lines += [f"{place.host.name} would do: {place.why}." for place in others]
    lines += [f"Not {refusal.host.name}: {refusal.why}." for refusal in found.refusals]
    return "\n".join(line for line in lines if line)
