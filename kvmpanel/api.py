"""The REST interface at `/api/v1/` (OpenAPI 3.1): every room's router, one way to sign in, one form of error."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from accounts.api import router as accounts_router
from accounts.authentication import SessionOrToken
from audit.api import router as audit_router
from console.api import router as console_router
from core.errors import PanelError
from core.http import problem
from dashboard.api import router as dashboard_router
from domains.api import router as domains_router
from hosts.api import router as hosts_router
from monitoring.api import router as monitoring_router
from networks.api import router as networks_router
from operations.api import router as operations_router
from storage.api import router as storage_router

api = NinjaAPI(
    title="KVM Panel",
    version="1",
    description="Everything the pages do, through the same actions and under the same permissions.",
    auth=SessionOrToken(),
    urls_namespace="api",
    docs_url=None,  # its pages load scripts from other sites; the OpenAPI document itself is at openapi.json
)
api.add_router("", accounts_router)
api.add_router("audit", audit_router)
api.add_router("hosts", hosts_router)
api.add_router("domains", domains_router)
api.add_router("domains", console_router)
api.add_router("capacity", dashboard_router)
api.add_router("top", monitoring_router)
api.add_router("operations", operations_router)
api.add_router("networks", networks_router)
api.add_router("storage", storage_router)


@api.exception_handler(PanelError)
def say(request: HttpRequest, error: PanelError) -> HttpResponse:
    """Errors as RFC 9457 problem details, as everywhere under `/api/`."""
    return problem(error, status=error.status)
