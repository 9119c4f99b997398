from django.urls import URLPattern, path

from console.views import screen

app_name = "console"

urlpatterns: list[URLPattern] = [
    path("<uuid:uuid>/", screen, name="screen"),
]
