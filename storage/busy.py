"""Tells `hosts` what is at work on a host's volumes."""

from __future__ import annotations

from hosts.models import Host
from operations.models import Operation, OperationQuerySet
from storage.models import Volume


def at_work_on(host: Host) -> OperationQuerySet:
    """The active operations that make, fill or delete volumes on `host`."""
    volumes = Volume.objects.filter(pool__host=host).values("uuid")
    found: OperationQuerySet = Operation.objects.active().filter(target_kind="volume", target_id__in=volumes)
    return found
