"""Asking for a machine to become a template, and back."""

from __future__ import annotations

from collections.abc import Collection

from accounts.models import User
from core.errors import InvalidInput
from domains.actions.ask import ask
from domains.models import Domain
from domains.templates import FROZEN, KEYS
from operations.models import Operation, OperationState


def make_template(
    *, domain: Domain, cleared: Collection[str], actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for it; `cleared` is what the person says is not in the guest any more, by the keys of `templates.TRACES`.

    Raises Forbidden, InvalidInput for an unknown key, Conflict while the machine is on, and TargetBusy.
    """
    unknown = sorted(set(cleared) - KEYS)
    if unknown:
        raise InvalidInput(f"There is nothing called {unknown[0]}.", field="cleared")
    return ask(
        "domain.template",
        domain=domain,
        actor=actor,
        params={"cleared": sorted(set(cleared))},
        details={"cleared": sorted(set(cleared))},
        idempotency_key=idempotency_key,
    )


def make_machine(*, domain: Domain, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for the template to be a machine again. Raises Forbidden, TargetBusy, Conflict where disks need its own."""
    asked = Operation.objects.about("domain", domain.uuid).filter(kind="domain.template")
    made = asked.filter(state=OperationState.SUCCEEDED).first()
    return ask(
        "domain.untemplate",
        domain=domain,
        actor=actor,
        params={FROZEN: None if made is None else made.params.get(FROZEN)},
        idempotency_key=idempotency_key,
    )
