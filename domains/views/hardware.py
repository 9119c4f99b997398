"""The tab on which a machine's devices are seen and changed."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from domains import device_pages
from domains import hardware as disks
from domains.views import tab


@require_safe
def hardware(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Disks, drives and whatever else is plugged in, with what can be done to each."""
    return tab.show(
        request,
        tab.found(request, uuid),
        "hardware",
        "domains/hardware.html",
        disks.disks,
        device_pages.cards,
        device_pages.devices,
    )
