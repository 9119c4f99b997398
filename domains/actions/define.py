"""Asking for a machine to be defined anew, by a text that a person typed or by a version of before."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.proof import Proof
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.events import publish
from domains import drafts, versions
from domains.actions.ask import ask
from domains.claims import new_disks, volume_of
from domains.models import Domain, DomainDraft, DomainVersion, Origin
from hypervisor.errors import Invalid
from hypervisor.xml.drafting import completed, same
from hypervisor.xml.edit import set_name
from hypervisor.xml.elements import Malformed
from operations import actions as operations
from operations.models import Operation
from storage.models import Volume

# How long a draft waits for its author.
KEPT: Final = timedelta(days=7)
_MOST_TOLD: Final = 20


class NotXml(InvalidInput):
    """The text is no XML from this place on, both counted from 1."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(message, field="xml")
        self.line = line
        self.column = column


@transaction.atomic
def draft(
    *, domain: Domain, base: DomainVersion, xml: str, actor: User, before: DomainDraft | None = None
) -> DomainDraft:
    """Keep what was typed instead of `base`, so that it can be shown beside it; nothing is changed by that.

    `before` is the draft that it began as, which it replaces: its secrets have placeholders, too. Raises Forbidden, and
    InvalidInput for what is no definition of this machine.
    """
    require(actor, Verb.DOMAIN_DEFINE, domain)
    known = (base.xml,) if before is None else (base.xml, before.xml)
    try:
        whole = completed(xml, known=known, uuid=domain.uuid, name=domain.name)
    except Malformed as error:
        raise NotXml(error.message, line=error.line, column=error.column) from error
    except Invalid as error:
        raise InvalidInput(error.message, field="xml") from error
    made = _draft(domain, base, whole, actor)
    if before is not None and (before.operation is None or not before.operation.active):
        before.delete()
    return made


@transaction.atomic
def bring_back(*, version: DomainVersion, actor: User) -> DomainDraft:
    """A draft that is an old version, under the machine's name of today; raises Conflict where it is in force."""
    domain = version.domain
    require(actor, Verb.DOMAIN_DEFINE, domain)
    return _draft(domain, current(domain), set_name(version.xml, domain.name), actor)


def current(domain: Domain) -> DomainVersion:
    """The newest definition; raises Conflict where none was read yet."""
    newest = versions.latest(domain)
    if newest is None:
        raise Conflict(
            "The definition of this machine was not read yet.",
            fix="Wait until its host answers, and try again.",
        )
    return newest


def _draft(domain: Domain, base: DomainVersion, xml: str, actor: User) -> DomainDraft:
    if same(base.xml, xml):
        raise InvalidInput("Nothing differs from the definition in force.", field="xml")
    ended = Q(operation=None) | Q(operation__finished_at__isnull=False)
    DomainDraft.objects.filter(ended, at__lt=timezone.now() - KEPT).delete()
    made = DomainDraft(domain=domain, base=base, author=actor)
    made.xml = xml
    made.save(force_insert=True)
    return made


@transaction.atomic
def define(
    *, draft: DomainDraft, ticked: Collection[str], proof: Proof, idempotency_key: str | None = None
) -> Operation:
    """Ask for the machine to be defined as `draft` says; a machine that is on takes it up at its next start.

    `ticked` are the keys of objections that the person has read and allows. Raises Forbidden, TargetBusy, Conflict
    where the definition is another one by now, InvalidInput for what nobody may allow or the person did not.
    """
    actor, domain = proof.user, draft.domain
    require(actor, Verb.DOMAIN_DEFINE, domain)
    before = operations.earlier(actor, idempotency_key, "domain.define", domain)
    if before is not None:
        return before
    if drafts.overtaken(domain, draft.base):
        raise Conflict(
            "The definition was changed meanwhile.", fix="Begin again from the one that is in force now."
        )
    seen = drafts.preview(draft)
    final = [one.text for one in seen.objections if one.final]
    if final:
        raise InvalidInput(" ".join(final), field="xml")
    open_ones = [one for one in seen.objections if one.key not in ticked]
    if open_ones:
        raise InvalidInput(
            f"Not allowed yet: {'; '.join(f'{one.text} ({one.key})' for one in open_ones)}",
            field="allow",
            fix="Allow each of them, or take it out.",
        )
    allowed = [one.key for one in seen.objections]
    operation = ask(
        "domain.define",
        domain=domain,
        actor=actor,
        params={"draft": str(draft.uuid)},
        details={"changes": seen.words[:_MOST_TOLD], "allowed": allowed},
        idempotency_key=idempotency_key,
        takes=_volumes(domain, draft),
    )
    DomainDraft.objects.filter(pk=draft.pk).update(operation=operation, ticked=allowed)
    return operation


def _volumes(domain: Domain, draft: DomainDraft) -> list[Volume]:
    """Those of the disks that the draft brings."""
    found = [volume_of(domain.host, disk) for disk in new_disks(draft.base.xml, draft.xml)]
    volumes = {volume.pk: volume for volume in found if volume is not None}
    return list(volumes.values())


@transaction.atomic
def discard(*, draft: DomainDraft, actor: User) -> None:
    """Throw a draft away. Raises Conflict while an operation works with it."""
    require(actor, Verb.DOMAIN_DEFINE, draft.domain)
    if draft.operation is not None and draft.operation.active:
        raise Conflict("It is being applied.", fix="Wait for the end of the operation, or cancel that.")
    draft.delete()
    publish("domain", draft.domain.uuid)


@transaction.atomic
def accept(*, domain: Domain, actor: User) -> None:
    """Let a change from beside the panel stand: the machine's page stops telling of it. Raises Conflict without one."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    newest = current(domain)
    waiting = DomainVersion.objects.filter(pk=newest.pk, origin=Origin.BESIDE, accepted_at=None)
    if not waiting.update(accepted_at=timezone.now(), accepted_by=actor):
        raise Conflict("There is no change from beside the panel that waits for this.")
    audit.record(actor, "domain.accept-change", target=domain, version=newest.number)
    publish("domain", domain.uuid)
