"""What lies on a host: its machines, pools and networks, from the rooms that know them."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.permissions import Verb
from core.http import signed_in
from dashboard.capacity import of_host
from domains.models import Domain, Duplicate
from hosts.models import Host
from networks.models import Network
from storage.models import Pool

MOST_MACHINES = 20


@require_safe
def on_host(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A fragment of the host's page; the machines beyond the first ones stand in the list, filtered by host."""
    user = signed_in(request)
    host = get_object_or_404(Host.objects.permitted(user, Verb.HOST_VIEW).present(), uuid=uuid)
    domains = Domain.objects.permitted(user, Verb.DOMAIN_VIEW).filter(host=host, gone_at=None)
    pools = list(
        Pool.objects.permitted(user, Verb.STORAGE_VIEW).filter(host=host, gone_at=None).order_by("name")
    )
    context = {
        "host": host,
        "capacity": of_host(host, pools),
        "duplicates": Duplicate.objects.filter(host=host, told_at__isnull=False)
        .filter(domain__in=Domain.objects.permitted(user, Verb.DOMAIN_VIEW).present())
        .select_related("domain__host")[:MOST_MACHINES],
        "machines": domains.order_by("name", "pk")[:MOST_MACHINES],
        "machines_total": domains.count(),
        "pools": pools,
        "networks": Network.objects.permitted(user, Verb.NETWORK_VIEW)
        .filter(host=host, gone_at=None)
        .order_by("name"),
    }
    return render(request, "dashboard/_on_host.html", context)
