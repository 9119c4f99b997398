"""What a person wants to see of the operations, as the address says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from accounts.permissions import Verb
from operations.models import Operation, OperationQuerySet, OperationState


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Filters; each is empty where nothing is asked of it. `target` is one thing's UUID."""

    person: str = ""
    kind: str = ""
    target_kind: str = ""
    target: UUID | None = None
    outcome: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Wanted:
        """From an address; what can't be understood counts as not asked for."""
        outcome = query.get("outcome", "")
        return cls(
            person=_text(query.get("person", ""), 150),
            kind=_text(query.get("kind", ""), 64),
            target_kind=_text(query.get("target_kind", ""), 32),
            target=_uuid(query.get("target", "")),
            outcome=outcome if outcome in OperationState.values else "",
        )

    @property
    def filtered(self) -> bool:
        """Whether it leaves anything out."""
        return self != Wanted()

    def of(self, user: User) -> OperationQuerySet:
        """Those that `user` may see, newest first, each with `may_cancel`."""
        rows: OperationQuerySet = Operation.objects.permitted(user, Verb.OPERATION_VIEW)
        exact = {
            "actor__username": self.person,
            "kind": self.kind,
            "target_kind": self.target_kind,
            "target_id": self.target,
            "state": self.outcome,
        }
        rows = rows.filter(**{name: value for name, value in exact.items() if value})
        return rows.select_related("actor").with_rights(user, may_cancel=Verb.OPERATION_CANCEL)


def _text(value: str, longest: int) -> str:
    return value if len(value) <= longest and "\x00" not in value else ""


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
