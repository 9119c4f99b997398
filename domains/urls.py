from django.urls import URLPattern, path

from domains.views.bulk import bulk
from domains.views.copies import clone, rename, template, untemplate
from domains.views.create import form, new, templates
from domains.views.define import bring_back_version, define, discard_draft, draft
from domains.views.definition import accept_change, definition, running_definition, version
from domains.views.delete import delete, protect, unprotect
from domains.views.detail import detail, usage
from domains.views.devices import (
    add_device,
    add_nic,
    change_nic,
    change_video,
    detach_device,
    detach_host_device,
    detach_nic,
    host_devices,
)
from domains.views.disks import (
    add_disk,
    add_drive,
    attach_disk,
    change_disk,
    change_medium,
    detach_disk,
    detach_drive,
    eject_medium,
    resize_disk,
)
from domains.views.drain import bring_back, drain
from domains.views.guest import command as guest_command
from domains.views.guest import freeze, guest, password
from domains.views.hardware import hardware
from domains.views.list import machines
from domains.views.migrate import migrate, move_form
from domains.views.options import assign, change, options, start_from
from domains.views.power import power
from domains.views.screen import screen
from domains.views.snapshots import (
    delete_snapshot,
    revert_snapshot,
    schedule_snapshots,
    snapshot,
    snapshots,
    take_snapshot,
    unschedule_snapshots,
)
from domains.views.trash import drop, purge, restore, trash

app_name = "domains"

urlpatterns: list[URLPattern] = [
    path("", machines, name="list"),
    path("new/", new, name="new"),
    path("new/form/", form, name="form"),
    path("new/from-template/", templates, name="templates"),
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
    path("<uuid:uuid>/disks/add/", add_disk, name="add_disk"),
    path("<uuid:uuid>/disks/attach/", attach_disk, name="attach_disk"),
    path("<uuid:uuid>/disks/<slug:target>/", change_disk, name="change_disk"),
    path("<uuid:uuid>/disks/<slug:target>/resize/", resize_disk, name="resize_disk"),
    path("<uuid:uuid>/disks/<slug:target>/detach/", detach_disk, name="detach_disk"),
    path("<uuid:uuid>/drives/add/", add_drive, name="add_drive"),
    path("<uuid:uuid>/drives/<slug:target>/", change_medium, name="change_medium"),
    path("<uuid:uuid>/drives/<slug:target>/eject/", eject_medium, name="eject_medium"),
    path("<uuid:uuid>/drives/<slug:target>/detach/", detach_drive, name="detach_drive"),
    path("<uuid:uuid>/nics/add/", add_nic, name="add_nic"),
    path("<uuid:uuid>/nics/<str:mac>/", change_nic, name="change_nic"),
    path("<uuid:uuid>/nics/<str:mac>/detach/", detach_nic, name="detach_nic"),
    path("<uuid:uuid>/devices/add/", add_device, name="add_device"),
    path("<uuid:uuid>/devices/video/", change_video, name="change_video"),
    path("<uuid:uuid>/devices/<str:key>/detach/", detach_device, name="detach_device"),
    path("<uuid:uuid>/host-devices/", host_devices, name="host_devices"),
    path("<uuid:uuid>/host-devices/<str:key>/detach/", detach_host_device, name="detach_host_device"),
    path("<uuid:uuid>/definition/", definition, name="definition"),
    path("<uuid:uuid>/definition/running/", running_definition, name="running_definition"),
    path("<uuid:uuid>/definition/accept/", accept_change, name="accept_change"),
    path("<uuid:uuid>/definition/edit/", define, name="define"),
    path("<uuid:uuid>/definition/drafts/<uuid:draft_uuid>/", draft, name="draft"),
    path("<uuid:uuid>/definition/drafts/<uuid:draft_uuid>/discard/", discard_draft, name="discard_draft"),
    path("<uuid:uuid>/definition/<int:number>/", version, name="version"),
    path("<uuid:uuid>/definition/<int:number>/bring-back/", bring_back_version, name="bring_back_version"),
    path("<uuid:uuid>/snapshots/", snapshots, name="snapshots"),
    path("<uuid:uuid>/snapshots/take/", take_snapshot, name="take_snapshot"),
    path("<uuid:uuid>/snapshots/rule/", schedule_snapshots, name="schedule_snapshots"),
    path("<uuid:uuid>/snapshots/rule/clear/", unschedule_snapshots, name="unschedule_snapshots"),
    path("<uuid:uuid>/snapshots/<uuid:snapshot_uuid>/", snapshot, name="snapshot"),
    path("<uuid:uuid>/snapshots/<uuid:snapshot_uuid>/revert/", revert_snapshot, name="revert_snapshot"),
    path("<uuid:uuid>/snapshots/<uuid:snapshot_uuid>/delete/", delete_snapshot, name="delete_snapshot"),
    path(
        "<uuid:uuid>/snapshots/<uuid:snapshot_uuid>/delete/all/",
        delete_snapshot,
        {"children": True},
        name="delete_snapshots",
    ),
    path("<uuid:uuid>/screen/", screen, name="screen"),
    path("<uuid:uuid>/power/<slug:verb>/", power, name="power"),
    path("<uuid:uuid>/clone/", clone, name="clone"),
    path("<uuid:uuid>/rename/", rename, name="rename"),
    path("<uuid:uuid>/template/", template, name="template"),
    path("<uuid:uuid>/template/back/", untemplate, name="untemplate"),
    path("<uuid:uuid>/options/", options, name="options"),
    path("<uuid:uuid>/options/owner/", assign, name="assign"),
    path("<uuid:uuid>/options/start-from/", start_from, name="start_from"),
    path("<uuid:uuid>/options/<slug:group>/", change, name="change"),
    path("<uuid:uuid>/guest/", guest, name="guest"),
    path("<uuid:uuid>/guest/freeze/", freeze, name="guest_freeze"),
    path("<uuid:uuid>/guest/password/", password, name="guest_password"),
    path("<uuid:uuid>/guest/<slug:verb>/", guest_command, name="guest_command"),
    path("<uuid:uuid>/delete/", delete, name="delete"),
    path("<uuid:uuid>/protect/", protect, name="protect"),
    path("<uuid:uuid>/unprotect/", unprotect, name="unprotect"),
    path("<uuid:uuid>/move/", migrate, name="migrate"),
    path("<uuid:uuid>/move/form/", move_form, name="move_form"),
]
