"""Asking for one power verb on many machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import audit
from accounts.models import User
from accounts.permissions import Verb
from core.errors import Conflict, Forbidden, InvalidInput
from domains.models import Domain, Selection
from domains.power import RULES, PowerVerb
from operations import actions as operations
from operations.models import Operation
from operations.parts import Refused

KIND: Final = "domain.bulk"
MOST: Final = 1000


def bulk(
    *, verb: PowerVerb, machines: Sequence[UUID], actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for `verb` on each of `machines`; each is an operation of its own, and a part of the one returned.

    A machine that can't be asked (its state, the right, another operation) is told with its reason at the end, and the
    others go on. Raises Forbidden where the person may do it to none of them, InvalidInput for none and for too many,
    Conflict where the key was used for another verb.
    """
    chosen = list(dict.fromkeys(machines))
    if not chosen:
        raise InvalidInput("Choose at least one virtual machine.", field="machines")
    if len(chosen) > MOST:
        raise InvalidInput(
            f"{MOST:,} virtual machines at once is the most.", field="machines", fix="Choose fewer of them."
        )

    def ask() -> Operation:
        return _submit(verb, chosen, actor, idempotency_key)

    operation = operations.once(actor, idempotency_key, ask, kind=KIND)
    # Which machines is not compared: those that a filter leaves are others once the first call has switched them.
    if operation.params["verb"] != verb.value:
        raise Conflict(
            "This key was used before, for something else.", fix="Send the request with a new key."
        )
    return operation


def _submit(verb: PowerVerb, chosen: list[UUID], actor: User, key: str | None) -> Operation:
    rule = RULES[verb]
    among = Domain.objects.filter(uuid__in=chosen)
    if not among.permitted(actor, rule.verb).exists():
        raise Forbidden("You may not do this to any of them.", fix="Ask an operator for the right to do it.")
    visible = dict(among.permitted(actor, Verb.DOMAIN_VIEW).values_list("uuid", "name"))
    unknown: Refused = {
        str(uuid): {"name": str(uuid), "why": "There is no such virtual machine."}
        for uuid in chosen
        if uuid not in visible
    }
    selection = Selection.objects.create(owner=actor, size=len(chosen))
    audit.record(actor, KIND, target=selection, does=verb.kind)
    return operations.submit(
        KIND,
        title=rule.title.format(name=selection),
        target=selection,
        actor=actor,
        params={
            "verb": verb.value,
            "machines": [str(uuid) for uuid in chosen if uuid in visible],
            "refused": unknown,
        },
        idempotency_key=key,
    )
