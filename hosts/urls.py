from django.urls import path

from hosts.views import detail, list

app_name = "hosts"

urlpatterns = [
    path("", list.hosts, name="list"),
    path("<uuid:uuid>/", detail.detail, name="detail"),
    path("<uuid:uuid>/maintenance", detail.maintenance, name="maintenance"),
]
