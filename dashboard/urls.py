from django.urls import path

from dashboard.views import host, overview, search

app_name = "dashboard"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("on-host/<uuid:uuid>/", host.on_host, name="on_host"),
    path("search/", search.page, name="search_page"),
    path("search.json", search.palette, name="search"),
]
