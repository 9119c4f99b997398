"""Asking for a machine to be called otherwise."""

from __future__ import annotations

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import InvalidInput
from domains import names
from domains.actions.ask import ask
from domains.models import Domain
from operations.models import Operation


def rename(*, domain: Domain, name: str, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for it. Raises Forbidden, InvalidInput for `name`, Conflict while the machine is on, and TargetBusy."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    if not names.valid(name):
        raise InvalidInput("This name can't be used.", field="name", fix=names.NAME_RULE)
    if name == domain.name:
        raise InvalidInput("This is its name already.", field="name")
    if Domain.objects.present().filter(host=domain.host, name=name).exists():
        raise InvalidInput(
            f"{domain.host.name} has a virtual machine of this name already.",
            field="name",
            fix="Choose another name.",
        )
    return ask(
        "domain.rename",
        domain=domain,
        actor=actor,
        params={"before": domain.name, "name": name},
        details={"name": name},
        title=f"Rename {domain.name} to {name}",
        idempotency_key=idempotency_key,
    )
