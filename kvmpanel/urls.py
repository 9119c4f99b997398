"""Every address of the site; each room brings its own."""

from django.urls import include, path

from core.views import health
from kvmpanel.api import api

handler404 = "core.views.not_found"
handler500 = "core.views.broken"

urlpatterns = [
    path("healthz", health, name="health"),
    path("api/v1/", api.urls),
    path("", include("dashboard.urls")),
    path("account/", include("accounts.urls")),
    path("audit/", include("audit.urls")),
    path("operations/", include("operations.urls")),
    path("hosts/", include("hosts.urls")),
    path("networks/", include("networks.urls")),
    path("storage/", include("storage.urls")),
    path("machines/", include("domains.urls")),
    path("console/", include("console.urls")),
    path("top/", include("monitoring.urls")),
]
