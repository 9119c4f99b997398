"""Which machines of a host still say what their rows hold, so that a full reading need not compare those.

Of each machine two things are kept in memory: the digest of what it said, and the print of its rows once they held just
that. Both are looked at again at each reading. So it does not matter who writes rows, nor when: one that is not as it
was left has another print, and then its machine is read and compared as if it were seen for the first time.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db import connection, models

from domains import inventory
from domains.models import Domain, DomainDevice, DomainDisk, DomainFile, DomainNic
from hosts.models import Host
from hypervisor.facts import DomainReading

_PARTS: Final = (DomainDisk, DomainFile, DomainNic, DomainDevice)
# They follow the reading; nothing that is read could be wrong with them.
_FOLLOWING: Final = frozenset({"seen_at", "kept_sha"})


@dataclass(frozen=True, slots=True)
class _Seen:
    digest: str
    print: bytes


class Standing:
    """One connection's: what it does not know yet is read in full. Belongs to one thread at a time."""

    def __init__(self) -> None:
        self._seen: dict[UUID, _Seen] = {}

    def known(self, host: Host) -> dict[UUID, str]:
        """The digests of the machines whose rows are still as they were left."""
        now = prints(host)
        return {uuid: seen.digest for uuid, seen in self._seen.items() if now.get(uuid) == seen.print}

    def record(self, host: Host, known: Mapping[UUID, str], readings: Sequence[DomainReading]) -> set[UUID]:
        """Write what all machines of a host said just now, asked with `known`. Returns those of another host."""
        facts = [one.facts for one in readings if one.facts is not None]
        same = {one.uuid for one in readings if one.facts is None and one.uuid in known}
        elsewhere = inventory.record_domains(host, facts, unchanged=same)
        now = prints(host) if facts else {}
        fresh = {
            one.uuid: _Seen(one.digest, now[one.uuid])
            for one in readings
            if one.facts is not None and one.uuid in now
        }
        self._seen = {uuid: self._seen[uuid] for uuid in same} | fresh
        return elsewhere


def prints(host: Host) -> dict[UUID, bytes]:
    """What the rows of each machine of `host` hold, so short that it can be kept and compared.

    Five statements, and no object for any row: this is asked for every host once a minute.
    """
    uuids: dict[int, UUID] = {}
    content: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    with connection.cursor() as cursor:
        for kind in (Domain, *_PARTS):
            cursor.execute(_statement(kind), [host.pk])
            for key, uuid, *columns in cursor.fetchall():
                uuids[key] = UUID(str(uuid))
                content[key].append(tuple(columns))
    return {uuids[key]: _print(rows) for key, rows in content.items()}


def _print(rows: list[tuple[Any, ...]]) -> bytes:
    return hashlib.blake2b(repr(rows).encode("utf-8", errors="surrogatepass"), digest_size=16).digest()


@cache
def _statement(kind: type[models.Model]) -> str:
    """Asks for the rows of a host, named by its key: key and UUID of the machine, then all the rest as it is stored."""
    to_domain = "" if kind is Domain else "domain__"
    fields = [field for field in kind._meta.concrete_fields if field.name not in _FOLLOWING]
    rows = kind._default_manager.filter(**{f"{to_domain}host": 0, f"{to_domain}gone_at": None}).order_by("pk")
    columns = [f"{to_domain}pk", f"{to_domain}uuid", *(field.attname for field in fields)]
    sql, parameters = rows.values_list(*columns).query.sql_with_params()
    if parameters != (0,):
        raise RuntimeError(f"the statement for {kind.__name__} asks for more than a host")
    return str(sql)
