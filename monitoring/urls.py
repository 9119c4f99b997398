from django.urls import path

from monitoring.views import top

app_name = "monitoring"

urlpatterns = [
    path("", top, name="top"),
]
