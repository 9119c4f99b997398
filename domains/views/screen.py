"""The small picture of a machine's screen."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from accounts.permissions import Verb
from core.http import signed_in
from domains import screens
from domains.models import Domain


@require_safe
def screen(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The latest picture, or 204 while there is none; looking is what has the next one taken."""
    machines = Domain.objects.present().permitted(signed_in(request), Verb.DOMAIN_VIEW)
    domain = get_object_or_404(machines.select_related("host"), uuid=uuid)
    if not screens.shows(domain):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    screens.ask(domain)
    picture = screens.latest(domain)
    if picture is None:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    etag = f'"{hashlib.sha256(picture).hexdigest()[:32]}"'
    answer = HttpResponse(
        picture,
        content_type=screens.MIME_TYPE,
        headers={"ETag": etag, "Cache-Control": "private, no-cache"},
    )
    return get_conditional_response(request, etag=etag, response=answer) or answer
