from django.urls import path

from operations import views

app_name = "operations"

urlpatterns = [
    path("", views.list_, name="list"),
    path("drawer", views.drawer, name="drawer"),
    path("<uuid:pk>/", views.detail, name="detail"),
    path("<uuid:pk>/cancel", views.cancel, name="cancel"),
]
