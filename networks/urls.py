from django.urls import path

from networks import views

app_name = "networks"

urlpatterns = [
    path("", views.list_, name="list"),
    path("<uuid:uuid>/", views.detail, name="detail"),
]
