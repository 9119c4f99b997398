"""One page of the audit log. Pages go by key, not by number: the log only grows, and nobody counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Q

from accounts.models import User
from accounts.permissions import Verb
from audit.models import Entry
from core.http import typed

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`who` a user name; `verb` the beginning of one ("domain."); `target` part of a name or a whole key."""

    who: str = ""
    verb: str = ""
    target: str = ""
    before: int = 0

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Wanted:
        """From an address; what can't be understood counts as not asked for."""
        before = query.get("before", "")
        return cls(
            who=typed(query, "who"),
            verb=typed(query, "verb"),
            target=typed(query, "target"),
            before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else 0,
        )

    @property
    def filtered(self) -> bool:
        """Whether anything narrows the log."""
        return bool(self.who or self.verb or self.target)

    def query(self, *, before: int) -> str:
        """The address of the page that starts below `before`."""
        parts = {"who": self.who, "verb": self.verb, "target": self.target, "before": before}
        return "?" + urlencode({name: value for name, value in parts.items() if value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Newest first; `older` is the address of the next page, or blank at the log's beginning."""

    entries: list[Entry]
    older: str


def find(user: User, wanted: Wanted, *, size: int = PAGE_SIZE) -> Page:
    """What `user` may see of the log; one query."""
    found = Entry.objects.get_queryset().permitted(user, Verb.AUDIT_VIEW).order_by("-pk")
    if wanted.who:
        found = found.filter(actor_name__iexact=wanted.who)
    if wanted.verb:
        found = found.filter(verb__startswith=wanted.verb)
    if wanted.target:
        found = found.filter(Q(target_name__icontains=wanted.target) | Q(target_key=wanted.target))
    if wanted.before:
        found = found.filter(pk__lt=wanted.before)
    entries = list(found[: size + 1])
    more = len(entries) > size
    entries = entries[:size]
    return Page(entries=entries, older=wanted.query(before=entries[-1].pk) if more else "")
