"""Which role gets which answer from which address: the panel's permissions as its users meet them.

Each line has one status per role, in the order of ROLES. "404" is a row that the person may not even know of, "403" a
thing that all know of and only some may do. A stranger is signed in and owns nothing; who is not signed in at all is
sent to the sign-in page (REST: 401) everywhere but at OPEN.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver

ROLES = ("superuser", "operator", "auditor", "lead", "member", "stranger")

# For everybody, signed in or not.
OPEN = {"health", "accounts:sign_in"}

PAGES: dict[str, str] = {
    "GET accounts:account": "200 200 200 200 200 200",
    "POST accounts:create_token": "422 422 422 422 422 422",
    "POST accounts:delete_team": "302 403 403 403 403 403",
    "GET accounts:new_person": "200 403 403 403 403 403",
    "POST accounts:new_person": "422 403 403 403 403 403",
    "GET accounts:new_team": "200 403 403 403 403 403",
    "POST accounts:new_team": "422 403 403 403 403 403",
    "GET accounts:password": "200 200 200 200 200 200",
    "POST accounts:password": "422 422 422 422 422 422",
    "GET accounts:people": "200 403 403 403 403 403",
    "GET accounts:person": "200 403 403 403 403 403",
    "POST accounts:person": "422 403 403 403 403 403",
    "POST accounts:remove_member": "404 403 403 403 403 403",
    "POST accounts:revoke_token": "404 302 404 404 404 404",
    "POST accounts:set_password": "422 403 403 403 403 403",
    "GET accounts:sign_in": "302 302 302 302 302 302",
    "POST accounts:sign_in": "302 302 302 302 302 302",
    "POST accounts:sign_out": "302 302 302 302 302 302",
    "GET accounts:team": "200 403 403 403 403 403",
    "POST accounts:team": "422 403 403 403 403 403",
    "POST accounts:theme": "204 204 204 204 204 204",
    "GET audit:list": "200 403 200 403 403 403",
    "POST audit:verify": "302 403 302 403 403 403",
    "GET console:screen": "200 200 404 200 200 404",
    "GET dashboard:capacity": "200 200 200 403 403 403",
    "GET dashboard:on_host": "200 200 200 404 404 404",
    "GET dashboard:overview": "200 200 200 200 200 200",
    "GET dashboard:search": "200 200 200 200 200 200",
    "GET dashboard:search_page": "200 200 200 200 200 200",
    "POST domains:bring_back": "409 409 404 404 404 404",
    "POST domains:bulk": "200 200 403 200 200 403",
    "GET domains:clone": "200 200 403 403 403 404",
    "POST domains:clone": "422 422 403 403 403 404",
    "GET domains:delete": "200 200 404 200 404 404",
    "POST domains:delete": "302 302 404 302 404 404",
    "GET domains:detail": "200 200 200 200 200 404",
    "GET domains:drain": "200 200 404 404 404 404",
    "POST domains:drain": "302 302 404 404 404 404",
    "GET domains:form": "200 200 403 403 403 403",
    "GET domains:hardware": "200 200 200 200 200 404",
    "GET domains:list": "200 200 200 200 200 200",
    "GET domains:migrate": "200 200 404 404 404 404",
    "POST domains:migrate": "422 422 404 404 404 404",
    "GET domains:move_form": "200 200 404 404 404 404",
    "GET domains:new": "200 200 403 403 403 403",
    "POST domains:new": "422 422 403 403 403 403",
    "POST domains:power": "200 200 404 200 200 404",
    "POST domains:drop": "302 302 404 302 404 404",
    "POST domains:protect": "302 302 404 302 404 404",
    "POST domains:unprotect": "302 302 404 302 404 404",
    "POST domains:purge": "409 409 404 409 404 404",
    "GET domains:restore": "200 200 404 200 404 404",
    "POST domains:restore": "409 409 404 409 404 404",
    "GET domains:trash": "200 200 200 200 200 200",
    "GET domains:rename": "200 200 404 200 404 404",
    "POST domains:rename": "422 422 404 422 404 404",
    "GET domains:screen": "204 204 204 204 204 404",
    "GET domains:template": "200 200 404 404 404 404",
    "POST domains:template": "302 302 404 404 404 404",
    "POST domains:untemplate": "409 409 404 404 404 404",
    "GET domains:usage": "200 200 200 200 200 404",
    "GET health": "200 200 200 200 200 200",
    "POST hosts:certificates": "422 422 404 404 404 404",
    "POST hosts:check": "200 200 404 404 404 404",
    "POST hosts:check_one": "200 200 404 404 404 404",
    "GET hosts:checks": "200 200 200 404 404 404",
    "POST hosts:confirm_key": "409 409 404 404 404 404",
    "GET hosts:detail": "200 200 200 404 404 404",
    "GET hosts:edit": "200 200 404 404 404 404",
    "POST hosts:edit": "422 422 404 404 404 404",
    "GET hosts:list": "200 200 200 403 403 403",
    "POST hosts:maintenance": "302 302 404 404 404 404",
    "GET hosts:new": "200 200 403 403 403 403",
    "POST hosts:new": "422 422 403 403 403 403",
    "GET hosts:remove": "200 200 404 404 404 404",
    "POST hosts:remove": "302 302 404 404 404 404",
    "POST hosts:replace_key": "302 302 404 404 404 404",
    "GET monitoring:top": "200 200 200 200 200 200",
    "GET networks:detail": "200 200 200 404 404 404",
    "GET networks:list": "200 200 200 403 403 403",
    "POST operations:cancel": "302 302 404 302 404 404",
    "GET operations:detail": "200 200 200 200 200 404",
    "GET operations:drawer": "200 200 200 200 200 200",
    "GET operations:list": "200 200 200 200 200 200",
    "POST storage:delete_volume": "302 302 404 404 404 404",
    "POST storage:discard_upload": "404 302 404 404 404 404",
    "GET storage:drop": "200 200 200 200 200 200",
    "GET storage:list": "200 200 200 403 403 403",
    "GET storage:new_volume": "200 200 404 404 404 404",
    "POST storage:new_volume": "422 422 404 404 404 404",
    "GET storage:pool": "200 200 200 404 404 404",
    "POST storage:refresh": "302 302 404 404 404 404",
    "POST storage:store_upload": "404 204 404 404 404 404",
    "GET storage:volume": "200 200 200 404 404 404",
}

REST: dict[str, str] = {
    "GET /api/v1/audit": "200 403 200 403 403 403",
    "GET /api/v1/capacity": "200 200 200 403 403 403",
    "GET /api/v1/domains": "200 200 200 200 200 200",
    "POST /api/v1/domains": "202 202 403 403 403 403",
    "POST /api/v1/domains/bulk/{verb}": "202 202 403 202 202 403",
    "GET /api/v1/domains/{uuid}": "200 200 200 200 200 404",
    "POST /api/v1/domains/{uuid}/clone": "202 202 403 403 403 404",
    "GET /api/v1/domains/{uuid}/console": "200 200 404 200 200 404",
    "POST /api/v1/domains/{uuid}/console": "409 409 404 409 409 404",
    "POST /api/v1/domains/{uuid}/delete": "202 202 404 202 404 404",
    "GET /api/v1/domains/{uuid}/migrate": "200 200 404 404 404 404",
    "POST /api/v1/domains/{uuid}/migrate": "409 409 404 404 404 404",
    "POST /api/v1/domains/{uuid}/drop": "204 204 404 204 404 404",
    "PUT /api/v1/domains/{uuid}/protection": "204 204 404 204 404 404",
    "POST /api/v1/domains/{uuid}/purge": "409 409 404 409 404 404",
    "POST /api/v1/domains/{uuid}/restore": "409 409 404 409 404 404",
    "GET /api/v1/domains/trash": "200 200 200 200 200 200",
    "DELETE /api/v1/domains/{uuid}/template": "409 409 404 404 404 404",
    "PUT /api/v1/domains/{uuid}/template": "202 202 404 404 404 404",
    "POST /api/v1/domains/{uuid}/rename": "202 202 404 202 404 404",
    "POST /api/v1/domains/{uuid}/power/{verb}": "202 202 404 202 202 404",
    "GET /api/v1/hosts": "200 200 200 403 403 403",
    "POST /api/v1/hosts": "201 201 403 403 403 403",
    "DELETE /api/v1/hosts/{uuid}": "204 204 403 404 404 404",
    "GET /api/v1/hosts/{uuid}": "200 200 200 404 404 404",
    "PUT /api/v1/hosts/{uuid}": "200 200 403 404 404 404",
    "GET /api/v1/hosts/{uuid}/access": "200 200 200 404 404 404",
    "PUT /api/v1/hosts/{uuid}/access/certificates": "422 422 403 404 404 404",
    "PUT /api/v1/hosts/{uuid}/access/host-key": "409 409 403 404 404 404",
    "POST /api/v1/hosts/{uuid}/access/key": "204 204 403 404 404 404",
    "POST /api/v1/hosts/{uuid}/bring-back": "409 409 403 404 404 404",
    "POST /api/v1/hosts/{uuid}/drain": "202 202 403 404 404 404",
    "GET /api/v1/hosts/{uuid}/checks": "200 200 200 404 404 404",
    "POST /api/v1/hosts/{uuid}/checks": "202 202 403 404 404 404",
    "GET /api/v1/hosts/{uuid}/events": "200 200 200 404 404 404",
    "PUT /api/v1/hosts/{uuid}/maintenance": "200 200 403 404 404 404",
    "GET /api/v1/me": "200 200 200 200 200 200",
    "GET /api/v1/me/tokens": "200 200 200 200 200 200",
    "POST /api/v1/me/tokens": "201 201 201 201 201 201",
    "DELETE /api/v1/me/tokens/{token_id}": "404 204 404 404 404 404",
    "GET /api/v1/networks": "200 200 200 403 403 403",
    "GET /api/v1/networks/{uuid}": "200 200 200 404 404 404",
    "GET /api/v1/operations": "200 200 200 200 200 200",
    "GET /api/v1/operations/{pk}": "200 200 200 200 200 404",
    "POST /api/v1/operations/{pk}/cancel": "202 202 404 202 404 404",
    "GET /api/v1/people": "200 403 403 403 403 403",
    "POST /api/v1/people": "201 403 403 403 403 403",
    "PUT /api/v1/people/{person_id}": "200 403 403 403 403 403",
    "GET /api/v1/storage/pools": "200 200 200 403 403 403",
    "GET /api/v1/storage/pools/{uuid}": "200 200 200 404 404 404",
    "POST /api/v1/storage/pools/{uuid}/refresh": "202 202 404 404 404 404",
    "GET /api/v1/storage/pools/{uuid}/volumes": "200 200 200 404 404 404",
    "POST /api/v1/storage/pools/{uuid}/volumes": "202 202 404 404 404 404",
    "GET /api/v1/storage/uploads": "200 200 403 403 403 403",
    "DELETE /api/v1/storage/volumes/{uuid}": "202 202 404 404 404 404",
    "GET /api/v1/storage/volumes/{uuid}": "200 200 200 404 404 404",
    "GET /api/v1/teams": "200 403 403 403 403 403",
    "POST /api/v1/teams": "201 403 403 403 403 403",
    "DELETE /api/v1/teams/{team_id}": "204 403 403 403 403 403",
    "PUT /api/v1/teams/{team_id}/members": "200 403 403 403 403 403",
    "DELETE /api/v1/teams/{team_id}/members/{person_id}": "204 403 403 403 403 403",
    "GET /api/v1/top": "200 200 200 200 200 200",
}

# What a call sends; without an entry nothing, which a form answers with 422 where the person may use it at all.
# HOST, POOL and PERSON stand for those of the stage.
FORMS: dict[str, str] = {
    "POST accounts:theme": "theme=dark",
    "POST domains:bulk": "all=1",
    "POST domains:delete": "name=web1",
    "POST hosts:remove": "name=kvm1",
}
BODIES: dict[str, dict[str, object]] = {
    "POST /api/v1/domains": {"name": "web2", "host": "HOST", "pool": "POOL", "memory_mib": 512},
    "POST /api/v1/domains/bulk/{verb}": {"machines": ["MACHINE"]},
    "POST /api/v1/domains/{uuid}/clone": {"name": "web2", "vcpus": 1, "memory_mib": 512},
    "POST /api/v1/domains/{uuid}/rename": {"name": "web2"},
    "PUT /api/v1/domains/{uuid}/template": {"cleared": []},
    "POST /api/v1/hosts": {"address": "kvm9.example.org"},
    "PUT /api/v1/hosts/{uuid}": {"address": "kvm9.example.org"},
    "PUT /api/v1/domains/{uuid}/protection": {"on": True},
    "PUT /api/v1/hosts/{uuid}/access/certificates": {"ca": "x", "certificate": "x", "key": "x"},
    "PUT /api/v1/hosts/{uuid}/access/host-key": {"fingerprint": "SHA256:x"},
    "PUT /api/v1/hosts/{uuid}/maintenance": {"on": True},
    "POST /api/v1/me/tokens": {"name": "program"},
    "POST /api/v1/people": {"username": "new", "password": "correct horse battery"},
    "PUT /api/v1/people/{person_id}": {"role": "auditor", "is_active": True},
    "POST /api/v1/storage/pools/{uuid}/volumes": {"label": "data", "capacity_bytes": 2**30},
    "POST /api/v1/teams": {"name": "green"},
    "PUT /api/v1/teams/{team_id}/members": {"user_id": "PERSON", "role": "team_member"},
}

# "yes": the piece is sent; "no": the person is told nothing.
TOPICS: dict[str, str] = {
    "console-start": "yes yes no yes yes no",
    "console-state": "yes yes no yes yes no",
    "domain-activity": "yes yes yes yes yes no",
    "domain-disks": "yes yes yes yes yes no",
    "domain-facts": "yes yes yes yes yes no",
    "domain-name": "yes yes yes yes yes no",
    "domain-hardware-disks": "yes yes yes yes yes no",
    "domain-nics": "yes yes yes yes yes no",
    "domain-row": "yes yes yes yes yes no",
    "domain-state": "yes yes yes yes yes no",
    "domain-usage": "yes yes yes yes yes no",
    "domains": "yes yes yes yes yes yes",
    "drawer": "no no no yes no no",
    "host": "yes yes yes no no no",
    "host-checks": "yes yes yes no no no",
    "host-events": "yes yes yes no no no",
    "host-row": "yes yes yes no no no",
    "host-summary": "yes yes yes no no no",
    "hosts": "yes yes yes no no no",
    "network": "yes yes yes no no no",
    "networks": "yes yes yes no no no",
    "operation": "yes yes yes yes yes no",
    "operation-row": "yes yes yes yes yes no",
    "operation-started": "yes yes yes yes yes no",
    "operation-steps": "yes yes yes yes yes no",
    "operations": "yes yes yes yes yes yes",
    "overview-domains": "yes yes yes yes yes yes",
    "overview-hosts": "yes yes yes yes yes yes",
    "overview-networks": "yes yes yes yes yes yes",
    "overview-operations": "yes yes yes yes yes yes",
    "overview-storage": "yes yes yes yes yes yes",
    "pool": "yes yes yes no no no",
    "preflight": "no no no no no no",
    "screen": "yes yes yes yes yes no",
    "storage": "yes yes yes no no no",
    "upload-storing": "yes yes yes yes yes no",
    "uploads": "no no no no no no",
    "trash": "yes yes yes yes yes yes",
    "usage": "yes yes yes yes yes yes",
}


def page_names(resolver: URLResolver, prefix: str = "") -> set[str]:
    """Every named page of the site; REST is listed by its own description."""
    names: set[str] = set()
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            names.add(f"{prefix}{pattern.name}")
        elif pattern.namespace != "api":
            names |= page_names(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
    return names


def page_parameters(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every named page with the parameters in its address."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}", list(pattern.pattern.converters)
        elif pattern.namespace != "api":
            yield from page_parameters(
                pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            )


def rest_calls() -> set[str]:
    """Every REST call as "METHOD /path"."""
    from kvmpanel.api import api

    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
