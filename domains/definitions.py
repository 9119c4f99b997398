"""A machine's definition as its pages and REST show it: without secrets, in colours, with its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from accounts.models import User
from domains import machine
from domains import running as run
from domains.colouring import coloured
from domains.models import Domain, DomainDraft, DomainVersion
from domains.versions import latest
from hypervisor.xml.secrets import Secrets

# As many versions are told on the tab; REST tells them all.
RECENT = 20
MOST_DRAFTS = 3


@dataclass(frozen=True, slots=True)
class Text:
    """A document to be read: `plain` to be copied, `html` to be looked at; neither holds a secret."""

    plain: str
    html: SafeString


def text(xml: str) -> Text:
    """Of a document that may hold secrets."""
    hidden = Secrets().hide(xml)
    return Text(hidden, coloured(hidden))


def history(domain: Domain) -> Any:
    """All versions, newest first, without their documents."""
    return domain.versions.select_related("author").defer("sealed")


def shown(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_definition.html` shows to who may read definitions."""
    newest = latest(domain)
    drafts = (
        DomainDraft.objects.filter(domain=domain, author=user).select_related("operation").defer("sealed")
    )
    versions = list(history(domain)[: RECENT + 1])
    return machine.plain(user, domain) | {
        "newest": newest,
        "text": text(newest.xml) if newest else None,
        "versions": versions[:RECENT],
        "more": len(versions) > RECENT,
        "behind": newest is not None and newest.sha != domain.xml_sha,
        "drafts": [one for one in drafts if one.operation is None or not one.operation.active][:MOST_DRAFTS],
    }


def running(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_running.html` shows to who may read definitions."""
    told = run.told(domain)
    context = machine.plain(user, domain) | {"text": None, "refused": "", "read_at": None}
    if told is not None:
        hidden, refused, at = told
        shown = Text(hidden, coloured(hidden)) if hidden else None
        context |= {"text": shown, "refused": refused, "read_at": at}
    return context


def before(version: DomainVersion) -> DomainVersion | None:
    """The version that this one replaced; None where none is kept."""
    older: DomainVersion | None = version.domain.versions.filter(number__lt=version.number).first()
    return older
