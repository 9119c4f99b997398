"""REST for definitions: read without their secrets, with their history; changed with one's password."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Schema, Status

from accounts import proof
from accounts.permissions import Verb
from core.errors import Conflict
from core.http import idempotency_key, problem, signed_in
from domains import definitions, running
from domains.actions import define as action
from domains.api.common import Accepted, accepted, permitted, router
from domains.models import Domain, DomainVersion, Origin
from hypervisor.xml.differences import differences


class VersionOut(Schema):
    """One definition of a machine. `changes` says in words what differs from the one before.

    `author` is who asked for it; null for what the panel found (`first`) or others did (`beside`).
    """

    number: int
    sha: str
    at: datetime
    origin: Origin
    author: str | None
    note: str
    changes: list[str]
    operation: UUID | None = Field(alias="operation_id")
    accepted_at: datetime | None

    @staticmethod
    def resolve_author(version: DomainVersion) -> str | None:
        """By user name."""
        return version.author.get_username() if version.author else None


class DefinitionOut(VersionOut):
    """A version with its document; each secret in it has a placeholder. `ETag` is its `sha`."""

    xml: str

    @staticmethod
    def resolve_xml(version: DomainVersion) -> str:
        """Never as it is."""
        return definitions.text(version.xml).plain


class RunningOut(Schema):
    """The document of a machine's run, without secrets; `refused` says why there is none."""

    xml: str
    refused: str
    read_at: datetime | None


class Confirmed(Schema):
    """Who may do what a definition can do must show that it is them: `password` is always asked for.

    `allow` are the keys of objections that are allowed; an answer of 422 names those that are open.
    """

    password: str = Field("", max_length=1000)
    allow: list[str] = Field(default_factory=list, max_length=200)


class DefinitionIn(Confirmed):
    """The definition that is wanted. Placeholders of the one in force keep their secrets."""

    xml: str


class Page(Schema):
    """Newest first; `before` is the number that the last page ended with."""

    before: int = Field(2**31 - 1, ge=1, lt=2**31)
    size: int = Field(50, ge=1, le=200)


@router.get("/{uuid:uuid}/definition", response=DefinitionOut, summary="The definition in force")
def definition(request: HttpRequest, response: HttpResponse, uuid: UUID) -> DomainVersion:
    """As it was last seen. Its `ETag` is what a change must name. 409 until it was read for the first time."""
    newest = action.current(permitted(request, uuid, Verb.DOMAIN_DEFINITION))
    response["ETag"] = f'"{newest.sha}"'
    return newest


@router.put("/{uuid:uuid}/definition", response={202: Accepted}, summary="Change the definition")
def define(request: HttpRequest, uuid: UUID, body: DefinitionIn) -> Any:
    """202 with the operation; it applies at the next start.

    `If-Match` must name the definition that this was made from (428 without); 412 where another one is in force.
    """
    domain = permitted(request, uuid, Verb.DOMAIN_DEFINE)
    wanted = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if not wanted:
        return problem(Conflict("If-Match is missing.", fix="Send the ETag of the definition."), status=428)
    base = action.current(domain)
    if base.sha != wanted:
        return problem(Conflict("Another definition is in force by now.", fix="Read it anew."), status=412)
    given = proof.prove(request, body.password)
    with transaction.atomic():  # what is refused leaves no draft
        made = action.draft(domain=domain, base=base, xml=body.xml, actor=given.user)
        operation = action.define(
            draft=made, ticked=body.allow, proof=given, idempotency_key=idempotency_key(request)
        )
    return Status(202, accepted(operation))


@router.get("/{uuid:uuid}/definition/running", response=RunningOut, summary="The document of its run")
def running_definition(request: HttpRequest, response: HttpResponse, uuid: UUID) -> dict[str, Any]:
    """What a worker read within the last minute; `read_at` is null while it reads: ask again in a second."""
    domain = permitted(request, uuid, Verb.DOMAIN_DEFINITION)
    if not domain.held:
        raise Conflict(f"{domain.name} is off.", fix="Start it, or read its definition.")
    running.ask(domain)
    told = running.told(domain)
    xml, refused, at = told if told else ("", "", None)
    return {"xml": xml, "refused": refused, "read_at": at}


@router.get("/{uuid:uuid}/definition/versions", response=list[VersionOut], summary="All its versions")
def versions(request: HttpRequest, uuid: UUID, page: Query[Page]) -> Any:
    """Newest first, without their documents."""
    domain = permitted(request, uuid, Verb.DOMAIN_DEFINITION)
    return definitions.history(domain).filter(number__lt=page.before)[: page.size]


@router.get("/{uuid:uuid}/definition/versions/{int:number}", response=DefinitionOut, summary="One version")
def version(request: HttpRequest, uuid: UUID, number: int) -> DomainVersion:
    """With its document."""
    return _version(permitted(request, uuid, Verb.DOMAIN_DEFINITION), number)


@router.get(
    "/{uuid:uuid}/definition/versions/{int:number}/differences/{int:other}",
    response=list[str],
    summary="What differs between two versions",
)
def version_differences(request: HttpRequest, uuid: UUID, number: int, other: int) -> list[str]:
    """What `other` has changed in `number`, in words."""
    domain = permitted(request, uuid, Verb.DOMAIN_DEFINITION)
    return differences(_version(domain, number).xml, _version(domain, other).xml)


@router.post(
    "/{uuid:uuid}/definition/versions/{int:number}/bring-back",
    response={202: Accepted},
    summary="Bring a version back",
)
def bring_back(request: HttpRequest, uuid: UUID, number: int, body: Confirmed) -> Status[Accepted]:
    """202 with the operation; it applies at the next start. 422 where it is in force already."""
    found = _version(permitted(request, uuid, Verb.DOMAIN_DEFINE), number)
    given = proof.prove(request, body.password)
    with transaction.atomic():  # what is refused leaves no draft
        made = action.bring_back(version=found, actor=given.user)
        operation = action.define(
            draft=made, ticked=body.allow, proof=given, idempotency_key=idempotency_key(request)
        )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/definition/accept", response={204: None}, summary="Let a change from beside stand")
def accept(request: HttpRequest, uuid: UUID) -> Status[None]:
    """409 where no change from beside the panel waits for it."""
    action.accept(domain=permitted(request, uuid, Verb.DOMAIN_EDIT), actor=signed_in(request))
    return Status(204, None)


def _version(domain: Domain, number: int) -> DomainVersion:
    found: DomainVersion = get_object_or_404(
        domain.versions.select_related("author", "domain__host", "domain__team"), number=number
    )
    return found
