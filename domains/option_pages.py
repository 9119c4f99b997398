"""What the tab "Options" and its live pieces show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import allowed
from domains import options
from domains.lifecycle import RULES, refusal
from domains.machine import plain
from domains.models import Domain
from domains.option_forms import FORMS, BootForm, OptionForm, OwnerForm


def pending(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_pending.html` shows."""
    return plain(user, domain) | {"pending": options.pending(domain)}


def groups(user: User, domain: Domain) -> dict[str, Any]:
    """All groups; {} of them while the definition was not seen."""
    if not options.defined(domain):
        return {"groups": []}
    may = allowed(user, Verb.DOMAIN_EDIT, domain)
    forms = [fresh(form, domain) for form in FORMS.values()]
    return {"groups": [group(form) | {"may": may, "template": template(form.group)} for form in forms]}


def piece(key: str) -> Callable[[User, Domain], dict[str, Any]]:
    """What the live piece of the group `key` shows."""
    return lambda user, domain: _one(key, user, domain)


def _one(key: str, user: User, domain: Domain) -> dict[str, Any]:
    shown = plain(user, domain) | {"may": allowed(user, Verb.DOMAIN_EDIT, domain)}
    return shown | group(fresh(FORMS[key], domain))


def group(form: OptionForm) -> dict[str, Any]:
    """A group's form, with what is in its way now, and for the boot order with the one-time start."""
    domain = form.domain
    kind = f"domain.change.{form.group}"
    shown = {
        "form": form,
        "rule": RULES[kind],
        "refusal": refusal(kind, domain),
        "now": options.live(domain),
    }
    if isinstance(form, BootForm):
        shown["start_refusal"] = "Shut it down first." if domain.on else refusal("domain.start-from", domain)
    return shown


def fresh(kind: type[OptionForm], domain: Domain) -> OptionForm:
    """Unbound, as the definition has it, for one click."""
    return kind(domain, key=str(uuid4()))


def template(key: str) -> str:
    """The file of one group."""
    return f"domains/_option_{key}.html"


def owner(user: User, domain: Domain) -> dict[str, Any]:
    """The form that says whose it is, for those who may."""
    return {"owner_form": OwnerForm(domain) if allowed(user, Verb.DOMAIN_ASSIGN, domain) else None}
