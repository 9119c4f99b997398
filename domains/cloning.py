"""What was chosen for a copy of a machine before its first effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedDisk:
    """One disk: `source` and `volume` are the rows of the original's and the copy's, `format` is the original's."""

    target: str
    source: UUID
    volume: UUID
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClonePlan:
    """Everything about the copy of `source`; kept in the operation's params, free of secrets.

    `macs` gives each of the original's network cards a new address. `network` is what all cards are plugged into,
    None where they stay as they are.
    """

    host: UUID
    source: UUID
    domain: UUID
    name: str
    description: str
    vcpus: int
    memory_mib: int
    network: str | None
    linked: bool
    disks: tuple[CopiedDisk, ...]
    macs: dict[str, str]
    start: bool

    def to_params(self) -> dict[str, Any]:
        """As JSON takes it."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        ids = {name: str(plain[name]) for name in ("host", "source", "domain")}
        disks = [[disk.target, str(disk.source), str(disk.volume), disk.format] for disk in self.disks]
        return plain | ids | {"disks": disks}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Self:
        """What `to_params` wrote, beside whatever else is kept there."""
        plain = {name: params[name] for name in cls.__slots__}
        ids = {name: UUID(params[name]) for name in ("host", "source", "domain")}
        disks = tuple(
            CopiedDisk(target=target, source=UUID(source), volume=UUID(volume), format=form)
            for target, source, volume, form in params["disks"]
        )
        return cls(**{**plain, **ids, "disks": disks})
