"""Pools, what is in them, and what is on its way."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import InvalidInput
from core.http import idempotency_key, posted, signed_in
from core.units import GIB
from operations.models import Operation
from storage import actions, exported, listing
from storage.forms import NewVolume
from storage.models import Export, Pool, Upload, Volume, VolumeKind

VOLUMES_PER_PAGE = 100


@require_safe
@vary_on_headers("HX-Request")
def list_(request: HttpRequest) -> HttpResponse:
    """All pools of all hosts, and the place to drop a file on."""
    user = signed_in(request)
    require(user, Verb.STORAGE_VIEW)
    pools = list(listing.pools(user))
    if request.headers.get("HX-Request"):
        return render(request, "storage/_pools.html", {"pools": pools})
    return render(request, "storage/list.html", {"pools": pools, **listing.drop(user, pools)})


@require_safe
def drop(request: HttpRequest) -> HttpResponse:
    """The place to drop a file on, for pages of other rooms; nothing for those who may not bring any."""
    user = signed_in(request)
    return render(request, "storage/_drop.html", listing.drop(user, listing.pools(user)))


@require_safe
@vary_on_headers("HX-Request")
def pool(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One pool and its volumes."""
    user = signed_in(request)
    found = _pool(request, uuid)
    text, kind = request.GET.get("q", ""), request.GET.get("kind", "")
    rows = listing.volumes(found, text=text, kind=kind)
    page = Paginator(rows, VOLUMES_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "pool": found,
        "host_key": str(found.host.uuid),
        "page": page,
        "volumes": listing.with_uses(found, list(page.object_list)),
        "q": text,
        "kind": kind,
        "kinds": VolumeKind.choices,
        "filtered": bool(text or kind),
    }
    if request.headers.get("HX-Request"):
        return render(request, "storage/_pool.html", context)
    return render(request, "storage/pool.html", {**context, **listing.drop(user, [found])})


@require_safe
@vary_on_headers("HX-Request")
def volume(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Everything that is known of one volume."""
    found = _volume(request, uuid, Verb.STORAGE_VIEW)
    [shown] = listing.with_uses(found.pool, [found])
    history = Operation.objects.permitted(signed_in(request), Verb.OPERATION_VIEW).about("volume", uuid)[:20]
    template = "storage/_volume.html" if request.headers.get("HX-Request") else "storage/volume.html"
    exports = Export.objects.permitted(signed_in(request), Verb.STORAGE_MANAGE).filter(volume=found)
    context = {
        "shown": shown,
        "volume": found,
        "history": history,
        "exports": exports.select_related("owner"),
    }
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_volume(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A new, empty disk in this pool."""
    found = _pool(request, uuid, Verb.STORAGE_MANAGE)
    form = NewVolume(posted(request))
    if form.is_valid() and _create(request, found, form):
        return redirect(found.get_absolute_url())
    context = {"form": form, "pool": found, "key": idempotency_key(request) or uuid4()}
    return render(request, "storage/new_volume.html", context, status=422 if form.errors else 200)


def _create(request: HttpRequest, pool: Pool, form: NewVolume) -> bool:
    """Ask for it; what the action does not take stands beside the field."""
    try:
        actions.create_volume(
            pool=pool,
            label=form.cleaned_data["label"],
            format=form.cleaned_data["format"],
            capacity_bytes=form.cleaned_data["capacity_gib"] * GIB,
            actor=signed_in(request),
            idempotency_key=idempotency_key(request),
        )
    except InvalidInput as error:
        field = "capacity_gib" if error.field == "capacity_bytes" else error.field
        form.add_error(field, f"{error.message} {error.fix}".strip())
        return False
    return True


@require_POST
def delete_volume(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """For ever."""
    found = _volume(request, uuid, Verb.STORAGE_MANAGE)
    return _started(request, actions.delete_volume(volume=found, actor=signed_in(request)), found.pool)


@require_POST
def export_volume(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Have it made a file to take away."""
    found = _volume(request, uuid, Verb.STORAGE_MANAGE)
    operation = actions.export(
        volume=found, actor=signed_in(request), idempotency_key=idempotency_key(request)
    )
    if request.headers.get("HX-Request"):
        return render(request, "operations/_started.html", {"operation": operation})
    return redirect("storage:volume", uuid)


@require_safe
def export_file(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The file itself, sent by nginx."""
    found = _export(request, uuid)
    return exported.sent(found.uuid, filename=found.filename)


@require_POST
def drop_export(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Forget the file before its day is over."""
    found = _export(request, uuid)
    actions.drop_export(export=found, actor=signed_in(request))
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)
    return redirect("storage:volume", found.volume.uuid)


@require_POST
def refresh(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Look at the pool's folder again."""
    found = _pool(request, uuid, Verb.STORAGE_MANAGE)
    return _started(request, actions.refresh_pool(pool=found, actor=signed_in(request)), found)


@require_POST
def store_upload(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Try again to store a file that is here in full."""
    found = _upload(request, uuid)
    operation = actions.finish_upload(upload=found, actor=signed_in(request))
    return HttpResponse(status=204) if operation is None else _started(request, operation, found.pool)


@require_POST
def discard_upload(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Forget a file on its way."""
    found = _upload(request, uuid)
    actions.discard_upload(upload=found, actor=signed_in(request))
    return (
        HttpResponse(status=204)
        if request.headers.get("HX-Request")
        else redirect(found.pool.get_absolute_url())
    )


def _started(request: HttpRequest, operation: Operation, pool: Pool) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return render(request, "operations/_started.html", {"operation": operation})
    return redirect(pool.get_absolute_url())


def _pool(request: HttpRequest, uuid: UUID, verb: Verb = Verb.STORAGE_VIEW) -> Pool:
    found = listing.find_pool(signed_in(request), uuid, request.GET.get("host", ""), verb=verb)
    if found is None:
        raise Http404
    return found


def _volume(request: HttpRequest, uuid: UUID, verb: Verb) -> Volume:
    found = listing.find_volume(signed_in(request), uuid, verb=verb)
    if found is None:
        raise Http404
    return found


def _export(request: HttpRequest, uuid: UUID) -> Export:
    found = listing.find_export(signed_in(request), uuid)
    if found is None:
        raise Http404
    return found


def _upload(request: HttpRequest, uuid: UUID) -> Upload:
    user = signed_in(request)
    mine = Upload.objects.permitted(user, Verb.STORAGE_MANAGE).filter(owner=user)
    upload: Upload = get_object_or_404(mine.select_related("pool__host"), uuid=uuid)
    return upload
