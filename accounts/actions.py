"""What may be done to people, teams and tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from accounts.models import ApiToken, Membership, Team, User
from accounts.permissions import TEAM_ROLES, Role, Verb
from accounts.scoping import require
from accounts.signals import acted, logins_ended, rights_changed
from core import events
from core.errors import Conflict, InvalidInput

MAX_TOKENS = 50


def _tell(actor: User, verb: str, target: models.Model, **details: Any) -> None:
    acted.send(sender=type(target), actor=actor, verb=verb, target=target, details=details)


def _checked(row: models.Model, *, without: tuple[str, ...] = ()) -> None:
    """Raise InvalidInput for the first column, but for those `without`, that can't be stored as it is."""
    try:
        row.full_clean(exclude=without)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidInput(messages[0], field=field) from error


def _strong(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), field="password") from error


def _rights_changed(user: User) -> None:
    transaction.on_commit(lambda: rights_changed.send(sender=User, user=user))


def end_logins(user: User, *, keep: str = "") -> None:
    """Tell sockets and consoles of `user` that they are over, after commit; the session `keep` lives on."""
    events.end_logins(user.pk, keep=keep)
    transaction.on_commit(lambda: logins_ended.send(sender=User, user=user, keep=keep))


@transaction.atomic
def create_person(*, actor: User, username: str, password: str, role: Role) -> User:
    """Add somebody who can sign in at once. Raises InvalidInput for a name taken or a weak password."""
    require(actor, Verb.ACCOUNT_MANAGE)
    person = User(username=username, role=role)
    _strong(password, person)
    person.set_password(password)
    _checked(person)
    person.save(force_insert=True)
    _tell(actor, "account.create", person, role=role)
    return person


@transaction.atomic
def change_person(*, actor: User, person: User, role: Role, active: bool) -> User:
    """Give another role, or shut out and let in again. Raises Conflict where no superuser would be left."""
    require(actor, Verb.ACCOUNT_MANAGE)
    others = (
        User.objects.select_for_update().filter(role=Role.SUPERUSER, is_active=True).exclude(pk=person.pk)
    )
    if not others and not (active and role == Role.SUPERUSER):
        raise Conflict(
            "This is the last superuser.", fix="Make somebody else a superuser first, then change this one."
        )
    person.role, person.is_active = role, active
    _checked(person)
    person.save(update_fields=["role", "is_active"])
    _tell(actor, "account.change", person, role=role, active=active)
    if active:
        _rights_changed(person)
    else:
        end_logins(person)
    return person


@transaction.atomic
def set_password(*, actor: User, person: User, password: str) -> None:
    """Give somebody a new password; everywhere they are signed in, they are signed out."""
    require(actor, Verb.ACCOUNT_MANAGE)
    _strong(password, person)
    person.set_password(password)
    person.save(update_fields=["password"])
    _tell(actor, "account.set_password", person)
    end_logins(person)


@transaction.atomic
def change_own_password(*, actor: User, password: str, session_key: str) -> None:
    """A new password for oneself; other logins end, the one that asked lives on. The old one was checked before."""
    _strong(password, actor)
    actor.set_password(password)
    actor.save(update_fields=["password"])
    _tell(actor, "account.change_password", actor)
    end_logins(actor, keep=session_key)


@transaction.atomic
def create_team(*, actor: User, name: str) -> Team:
    """Raises InvalidInput for a name that is taken."""
    require(actor, Verb.ACCOUNT_MANAGE)
    team = Team(name=name)
    _checked(team)
    team.save(force_insert=True)
    _tell(actor, "team.create", team)
    return team


@transaction.atomic
def delete_team(*, actor: User, team: Team) -> None:
    """Its machines stay and belong to their owners only."""
    require(actor, Verb.ACCOUNT_MANAGE)
    _tell(actor, "team.delete", team)
    team.delete()


@transaction.atomic
def set_member(*, actor: User, team: Team, person: User, role: Role) -> Membership:
    """Put somebody into a team, or give them another role in it."""
    require(actor, Verb.ACCOUNT_MANAGE)
    if role not in TEAM_ROLES:
        raise InvalidInput("A team knows leads and members only.", field="role")
    membership, _ = Membership.objects.update_or_create(team=team, user=person, defaults={"role": role})
    _tell(actor, "team.set_member", team, person=person.username, role=role)
    _rights_changed(person)
    return membership


@transaction.atomic
def remove_member(*, actor: User, membership: Membership) -> None:
    """Take somebody out of a team; consoles they had open through it end."""
    require(actor, Verb.ACCOUNT_MANAGE)
    _tell(actor, "team.remove_member", membership.team, person=membership.user.username)
    membership.delete()
    _rights_changed(membership.user)


@transaction.atomic
def create_token(*, actor: User, name: str, days: int | None) -> tuple[ApiToken, str]:
    """A token for `actor` that ends after `days` (None: never). The text is told once and kept nowhere."""
    if actor.tokens.count() >= MAX_TOKENS:
        raise Conflict(f"You have {MAX_TOKENS} tokens.", fix="Revoke those that nothing uses any more.")
    text = ApiToken.fresh()
    expires = timezone.now() + timedelta(days=days) if days else None
    token = ApiToken(user=actor, name=name, digest=ApiToken.hash(text), expires_at=expires)
    _checked(token, without=("last_used_at", "expires_at"))
    token.save(force_insert=True)
    _tell(actor, "token.create", token, name=name)
    return token, text


@transaction.atomic
def revoke_token(*, actor: User, token: ApiToken) -> None:
    """One's own; it stops working at once."""
    if token.user_id != actor.pk:
        require(actor, Verb.ACCOUNT_MANAGE)
    _tell(actor, "token.revoke", token, name=token.name)
    token.delete()


def change_theme(*, actor: User, theme: str) -> None:
    """Light, dark or as the system; a matter of taste leaves no audit row."""
    actor.theme = theme
    _checked(actor)
    actor.save(update_fields=["theme"])
