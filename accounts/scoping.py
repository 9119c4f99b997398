"""The two doors: `Permitted.permitted()` for every read, `require()` for every write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Case, Q, Value, When

from accounts.permissions import Role, Verb, roles_with
from core.errors import Forbidden

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User


class Permitted(models.QuerySet[Any]):
    """A queryset that knows to whom its rows belong.

    `team_path` and `owner_path` are lookups from the row to a team and to a person; empty for things (hosts, pools,
    networks) that nobody but people with a global role may see.
    """

    team_path: ClassVar[str] = ""
    owner_path: ClassVar[str] = ""

    def permitted(self, user: User | AnonymousUser, verb: Verb) -> Self:
        """The rows on which `user` may do `verb`."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        roles = roles_with(verb)
        if user.role in roles:
            return self
        return self.filter(self._belongs(user, verb))

    def with_rights(self, user: User, **verbs: Verb) -> Self:
        """Each row with, under each name given, whether `user` may do that verb on it; for buttons. Costs no query."""
        return self.annotate(**{name: self._right(user, verb) for name, verb in verbs.items()})

    def _right(self, user: User, verb: Verb) -> Value | Case:
        roles = roles_with(verb)
        if user.role in roles:
            return Value(value=True)
        return Case(When(self._belongs(user, verb), then=Value(value=True)), default=Value(value=False))

    def _belongs(self, user: Any, verb: Verb) -> Q:
        roles = roles_with(verb)
        mine = Q(pk__in=())
        if self.team_path:
            teams = user.team_ids(roles)
            if teams:
                mine |= Q(**{f"{self.team_path}__in": teams})
        if self.owner_path and Role.OWNER in roles:
            mine |= Q(**{self.owner_path: user.pk})
        return mine


def allowed(user: User, verb: Verb, thing: models.Model | None = None) -> bool:
    """Whether `user` may do `verb`, on `thing` where the verb is about one."""
    if not user.is_active:
        return False
    if user.role in roles_with(verb):
        return True
    if thing is None:
        return False
    manager = type(thing)._default_manager
    rows: Permitted = manager.all()  # type: ignore[assignment]
    return rows.permitted(user, verb).filter(pk=thing.pk).exists()


def require(user: User, verb: Verb, thing: models.Model | None = None) -> None:
    """Raise Forbidden unless `user` may do `verb`; the first line of every action."""
    if not allowed(user, verb, thing):
        raise Forbidden("You may not do this.", fix="Ask an operator for the right to do it.")
