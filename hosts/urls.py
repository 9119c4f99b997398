from django.urls import path

from hosts.views import checks, detail, list, manage

app_name = "hosts"

urlpatterns = [
    path("", list.hosts, name="list"),
    path("new/", manage.new, name="new"),
    path("<uuid:uuid>/", detail.detail, name="detail"),
    path("<uuid:uuid>/edit", manage.edit, name="edit"),
    path("<uuid:uuid>/remove", manage.remove, name="remove"),
    path("<uuid:uuid>/maintenance", detail.maintenance, name="maintenance"),
    path("<uuid:uuid>/checks/", checks.checks, name="checks"),
    path("<uuid:uuid>/checks/again", checks.check, name="check"),
    path("<uuid:uuid>/checks/<slug:key>/again", checks.check, name="check_one"),
    path("<uuid:uuid>/host-key", checks.confirm_key, name="confirm_key"),
    path("<uuid:uuid>/key", checks.replace_key, name="replace_key"),
    path("<uuid:uuid>/certificates", checks.certificates, name="certificates"),
]
