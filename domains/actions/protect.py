"""Protecting a machine from being deleted."""

from __future__ import annotations

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import TargetBusy
from core.events import publish
from domains.models import Domain
from operations.models import Operation

# What takes a machine away from its host, and looks only at its beginning whether it may.
_TAKES_AWAY = ("domain.delete", "domain.trash")


@transaction.atomic
def protect(*, domain: Domain, protected: bool, actor: User) -> None:
    """From now on it can, or can't, be deleted. Raises Forbidden, and TargetBusy while it is being deleted."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    going = Operation.objects.active().about("domain", domain.uuid).filter(kind__in=_TAKES_AWAY).first()
    if going is not None and protected:
        raise TargetBusy(
            f"{domain.name} is being deleted just now.",
            operation_id=str(going.pk),
            fix="Cancel that operation first.",
        )
    if Domain.objects.filter(pk=domain.pk).exclude(protected=protected).update(protected=protected):
        audit.record(actor, "domain.protect", target=domain, protected=protected)
        publish("domain", domain.uuid)
