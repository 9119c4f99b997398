from django.urls import URLPattern, path

from domains.views.create import form, new
from domains.views.delete import delete
from domains.views.detail import detail, usage
from domains.views.drain import bring_back, drain
from domains.views.hardware import hardware
from domains.views.list import machines
from domains.views.migrate import migrate, move_form
from domains.views.power import power
from domains.views.screen import screen

app_name = "domains"

urlpatterns: list[URLPattern] = [
    path("", machines, name="list"),
    path("new/", new, name="new"),
    path("new/form/", form, name="form"),
    path("on/<uuid:uuid>/drain/", drain, name="drain"),
    path("on/<uuid:uuid>/bring-back/", bring_back, name="bring_back"),
    path("<uuid:uuid>/", detail, name="detail"),
    path("<uuid:uuid>/usage/", usage, name="usage"),
    path("<uuid:uuid>/hardware/", hardware, name="hardware"),
    path("<uuid:uuid>/screen/", screen, name="screen"),
    path("<uuid:uuid>/power/<slug:verb>/", power, name="power"),
    path("<uuid:uuid>/delete/", delete, name="delete"),
    path("<uuid:uuid>/move/", migrate, name="migrate"),
    path("<uuid:uuid>/move/form/", move_form, name="move_form"),
]
