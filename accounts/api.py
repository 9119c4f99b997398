"""REST: oneself, one's tokens, and for superusers people and teams."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status
from ninja.pagination import paginate

from accounts import actions
from accounts.models import ApiToken, Membership, Team, User
from accounts.permissions import Role, Verb
from accounts.scoping import require
from core.http import signed_in
from core.paging import Paging

router = Router(tags=["accounts"])

# One line of text; PostgreSQL takes no NUL.
Line = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]


class PersonOut(Schema):
    """Somebody."""

    id: int
    username: str
    role: str
    is_active: bool
    last_login: datetime | None


class PersonIn(Schema):
    """Somebody new."""

    username: str = Field(min_length=1, max_length=150)
    password: str = Field(max_length=1000)
    role: Role = Role.REQUESTER


class PersonChange(Schema):
    """Both are set."""

    role: Role
    is_active: bool


class TokenOut(Schema):
    """A token, without its text."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class TokenIn(Schema):
    """`days` is how long it works; null: without end."""

    name: Line
    days: int | None = Field(90, ge=1, le=3650)


class FreshTokenOut(TokenOut):
    """The only answer that holds the token's text."""

    token: str


class TeamIn(Schema):
    """A new team."""

    name: Line


class MemberOut(Schema):
    """Somebody's place in a team."""

    id: int
    user_id: int
    username: str = Field(alias="user.username")
    role: str


class MemberIn(Schema):
    """`role` is team_lead or team_member."""

    user_id: int
    role: Role


class TeamOut(Schema):
    """A team and who is in it."""

    id: int
    name: str
    memberships: list[MemberOut]


@router.get("/me", response=PersonOut)
def me(request: HttpRequest) -> User:
    """Whose token this is."""
    return signed_in(request)


@router.get("/me/tokens", response=list[TokenOut])
def list_tokens(request: HttpRequest) -> QuerySet[ApiToken]:
    """One's own."""
    return signed_in(request).tokens.order_by("-created_at")


@router.post("/me/tokens", response={201: FreshTokenOut})
def create_token(request: HttpRequest, wanted: TokenIn) -> Status[dict[str, object]]:
    """Make one."""
    token, text = actions.create_token(actor=signed_in(request), name=wanted.name, days=wanted.days)
    return Status(201, {**TokenOut.from_orm(token).dict(), "token": text})


@router.delete("/me/tokens/{token_id}", response={204: None})
def revoke_token(request: HttpRequest, token_id: int) -> Status[None]:
    """One's own stops working at once."""
    user = signed_in(request)
    actions.revoke_token(actor=user, token=get_object_or_404(user.tokens, pk=token_id))
    return Status(204, None)


@router.get("/people", response=list[PersonOut])
@paginate(Paging)
def list_people(request: HttpRequest) -> QuerySet[User]:
    """Everybody, by user name."""
    require(signed_in(request), Verb.ACCOUNT_MANAGE)
    return User.objects.order_by("username")


@router.post("/people", response={201: PersonOut})
def create_person(request: HttpRequest, wanted: PersonIn) -> Status[User]:
    """Add somebody."""
    person = actions.create_person(
        actor=signed_in(request), username=wanted.username, password=wanted.password, role=wanted.role
    )
    return Status(201, person)


@router.put("/people/{person_id}", response=PersonOut)
def change_person(request: HttpRequest, person_id: int, wanted: PersonChange) -> User:
    """Role, and whether they may sign in."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    person = get_object_or_404(User, pk=person_id)
    return actions.change_person(actor=user, person=person, role=wanted.role, active=wanted.is_active)


@router.get("/teams", response=list[TeamOut])
def list_teams(request: HttpRequest) -> QuerySet[Team]:
    """All teams with their members."""
    require(signed_in(request), Verb.ACCOUNT_MANAGE)
    return Team.objects.order_by("name").prefetch_related("memberships__user")


@router.post("/teams", response={201: TeamOut})
def create_team(request: HttpRequest, wanted: TeamIn) -> Status[Team]:
    """Make one."""
    return Status(201, actions.create_team(actor=signed_in(request), name=wanted.name))


@router.delete("/teams/{team_id}", response={204: None})
def delete_team(request: HttpRequest, team_id: int) -> Status[None]:
    """People and machines stay."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    actions.delete_team(actor=user, team=get_object_or_404(Team, pk=team_id))
    return Status(204, None)


@router.put("/teams/{team_id}/members", response=MemberOut)
def put_member(request: HttpRequest, team_id: int, wanted: MemberIn) -> Membership:
    """Add somebody, or give them another role in the team."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    person = get_object_or_404(User, pk=wanted.user_id, is_active=True)
    team = get_object_or_404(Team, pk=team_id)
    return actions.set_member(actor=user, team=team, person=person, role=wanted.role)


@router.delete("/teams/{team_id}/members/{person_id}", response={204: None})
def remove_member(request: HttpRequest, team_id: int, person_id: int) -> Status[None]:
    """Take somebody out."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    found = Membership.objects.select_related("team", "user")
    actions.remove_member(actor=user, membership=get_object_or_404(found, team_id=team_id, user_id=person_id))
    return Status(204, None)
