"""What was chosen for a new machine before its first effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that was chosen before the first effect; kept in the operation's params, free of secrets.

    `disk` is made anew, with the content of `image` where there is one; it is there already where it stays `as_it_is`.
    """

    host: UUID
    domain: UUID
    name: str
    description: str
    vcpus: int
    memory_mib: int
    firmware: str
    disk: UUID
    iso: UUID | None
    image: UUID | None
    as_it_is: bool
    network: str | None
    mac: str
    start: bool

    def to_params(self) -> dict[str, Any]:
        """As JSON takes it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: str(value) if isinstance(value, UUID) else value for name, value in values.items()}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Self:
        """What `to_params` wrote."""
        ids = {name: UUID(params[name]) for name in ("host", "domain", "disk")}
        maybe = {name: UUID(params[name]) if params[name] else None for name in ("iso", "image")}
        return cls(**{**params, **ids, **maybe})
