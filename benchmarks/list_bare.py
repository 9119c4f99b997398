"""The same fifty rows with nothing around them: no sign-in, no permissions, no filters, no live pieces.

A settings module and an address table for `benchmarks.list`; the floor under any list made with Django.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.urls import path

from kvmpanel.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.list_bare"
MIDDLEWARE = []

_PAGE = Engine().from_string(
    "<table>{% for d in rows %}<tr><td>{{ d.state }}<td>{{ d.name }}<td>{{ d.host.name }}<td>{{ d.vcpus }}"
    "<td>{{ d.memory_mib }}<td>{{ d.team.name }}<td>{{ d.owner.username }}</tr>{% endfor %}</table>{{ total }}"
)


def bare(request: HttpRequest) -> HttpResponse:
    """Fifty machines and how many there are."""
    from domains.models import Domain

    machines = Domain.objects.filter(gone_at=None)
    rows = machines.select_related("host", "team", "owner").order_by("name", "pk")[:50]
    return HttpResponse(_PAGE.render(Context({"rows": rows, "total": machines.count()})))


urlpatterns = [path("machines/", bare)]
