from django.urls import path

from dashboard.views import capacity, host, overview, search

app_name = "dashboard"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("capacity/", capacity.capacity, name="capacity"),
    path("on-host/<uuid:uuid>/", host.on_host, name="on_host"),
    path("search/", search.page, name="search_page"),
    path("search.json", search.palette, name="search"),
]
