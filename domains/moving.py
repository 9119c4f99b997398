"""What was chosen for a machine that goes to another host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOptions:
    """How a person wants it done. Limits of 0 are none; `pool` is the name of the pool there for copied disks.

    `copy` copies disks also where both hosts seem to share them; `delete_source` deletes copied disks at the source
    once the machine is seen to be well at the target; `post_copy_after_s` lets it run there after so many seconds,
    ready or not.
    """

    copy: bool = False
    pool: str = ""
    delete_source: bool = True
    eject: bool = False
    bandwidth_mib_s: int = 0
    downtime_ms: int = 0
    auto_converge: bool = True
    post_copy_after_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Everything that was chosen before the first effect; kept in the operation's params.

    `copies` are (disk, volume here, volume there), `shared` (disk, pool here, pool there), `drives` (drive, path there)
    for images that lie elsewhere on the target, `eject` (drive, path here).
    """

    domain: UUID
    name: str
    source: UUID
    target: UUID
    live: bool
    copies: tuple[tuple[str, UUID, UUID], ...] = ()
    shared: tuple[tuple[str, UUID, UUID], ...] = ()
    drives: tuple[tuple[str, str], ...] = ()
    eject: tuple[tuple[str, str], ...] = ()
    options: MoveOptions = field(default_factory=MoveOptions)

    def to_params(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "domain": str(self.domain),
            "name": self.name,
            "source": str(self.source),
            "target": str(self.target),
            "live": self.live,
            "copies": [[disk, str(here), str(there)] for disk, here, there in self.copies],
            "shared": [[disk, str(here), str(there)] for disk, here, there in self.shared],
            "drives": [list(drive) for drive in self.drives],
            "eject": [list(drive) for drive in self.eject],
            "options": {name: getattr(self.options, name) for name in MoveOptions.__slots__},
        }

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Self:
        """What `to_params` wrote."""
        return cls(
            domain=UUID(params["domain"]),
            name=params["name"],
            source=UUID(params["source"]),
            target=UUID(params["target"]),
            live=params["live"],
            copies=tuple((disk, UUID(here), UUID(there)) for disk, here, there in params["copies"]),
            shared=tuple((disk, UUID(here), UUID(there)) for disk, here, there in params["shared"]),
            drives=tuple((drive, path) for drive, path in params["drives"]),
            eject=tuple((drive, path) for drive, path in params["eject"]),
            options=MoveOptions(**params["options"]),
        )
