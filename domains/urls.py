from django.urls import URLPattern, path

from domains.views.bulk import bulk
from domains.views.copies import clone, rename, template, untemplate
from domains.views.create import form, new
from domains.views.define import bring_back_version, define, discard_draft, draft
from domains.views.definition import accept_change, definition, running_definition, version
from domains.views.delete import delete, protect, unprotect
from domains.views.detail import detail, usage
from domains.views.drain import bring_back, drain
from domains.views.hardware import hardware
from domains.views.list import machines
from domains.views.migrate import migrate, move_form
from domains.views.power import power
from domains.views.screen import screen
from domains.views.trash import drop, purge, restore, trash

app_name = "domains"

urlpatterns: list[URLPattern] = [
    path("", machines, name="list"),
    path("new/", new, name="new"),
    path("new/form/", form, name="form"),
    path("on/<uuid:uuid>/drain/", drain, name="drain"),
    path("on/<uuid:uuid>/bring-back/", bring_back, name="bring_back"),
    path("trash/", trash, name="trash"),
    path("trash/<uuid:uuid>/", restore, name="restore"),
    path("trash/<uuid:uuid>/purge/", purge, name="purge"),
    path("trash/<uuid:uuid>/drop/", drop, name="drop"),
    path("bulk/<slug:verb>/", bulk, name="bulk"),
    path("<uuid:uuid>/", detail, name="detail"),
    path("<uuid:uuid>/usage/", usage, name="usage"),
    path("<uuid:uuid>/hardware/", hardware, name="hardware"),
    path("<uuid:uuid>/definition/", definition, name="definition"),
    path("<uuid:uuid>/definition/running/", running_definition, name="running_definition"),
    path("<uuid:uuid>/definition/accept/", accept_change, name="accept_change"),
    path("<uuid:uuid>/definition/edit/", define, name="define"),
    path("<uuid:uuid>/definition/drafts/<uuid:key>/", draft, name="draft"),
    path("<uuid:uuid>/definition/drafts/<uuid:key>/discard/", discard_draft, name="discard_draft"),
    path("<uuid:uuid>/definition/<int:number>/", version, name="version"),
    path("<uuid:uuid>/definition/<int:number>/bring-back/", bring_back_version, name="bring_back_version"),
    path("<uuid:uuid>/screen/", screen, name="screen"),
    path("<uuid:uuid>/power/<slug:verb>/", power, name="power"),
    path("<uuid:uuid>/clone/", clone, name="clone"),
    path("<uuid:uuid>/rename/", rename, name="rename"),
    path("<uuid:uuid>/template/", template, name="template"),
    path("<uuid:uuid>/template/back/", untemplate, name="untemplate"),
    path("<uuid:uuid>/delete/", delete, name="delete"),
    path("<uuid:uuid>/protect/", protect, name="protect"),
    path("<uuid:uuid>/unprotect/", unprotect, name="unprotect"),
    path("<uuid:uuid>/move/", migrate, name="migrate"),
    path("<uuid:uuid>/move/form/", move_form, name="move_form"),
]
