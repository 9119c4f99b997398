"""Keeping new machines away from a host for a while."""

from __future__ import annotations

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from hosts.inventory import tell
from hosts.models import Host


@transaction.atomic
def set_maintenance(*, host: Host, actor: User, on: bool) -> None:
    """Keep new machines away from `host`, or let them come again; those that run there run on."""
    require(actor, Verb.HOST_MANAGE, host)
    audit.record(actor, "host.maintenance", target=host, on=on)
    Host.objects.filter(pk=host.pk).update(maintenance=on)
    tell(host)
