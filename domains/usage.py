"""Tells storage which volumes are plugged into machines."""

from __future__ import annotations

from collections.abc import Collection

from django.urls import reverse

from domains.models import DomainDisk
from hosts.models import Host
from storage.usage import Use


def machines_with(host: Host, paths: Collection[str]) -> dict[str, list[Use]]:
    """By path, the machines on `host` that have it as a disk or in a drive. One query."""
    disks = DomainDisk.objects.filter(path__in=paths, domain__host=host, domain__gone_at=None)
    users: dict[str, list[Use]] = {}
    for path, name, uuid in disks.order_by("domain__name").values_list(
        "path", "domain__name", "domain__uuid"
    ):
        users.setdefault(path, []).append(Use(name=name, url=reverse("domains:detail", args=[uuid])))
    return users
