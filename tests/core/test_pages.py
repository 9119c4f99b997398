"""What every answer carries, and how errors look."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from core.errors import Conflict
from core.middleware import POLICY
from kvmpanel.urls import handler404, handler500
from kvmpanel.urls import urlpatterns as all_pages
from tests.conftest import Cast, browser_of

__all__ = ["handler404", "handler500"]


def refuse(request: HttpRequest) -> HttpResponse:
    raise Conflict("The machine <b> runs.", fix="Stop it first.")


def fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("canary-in-the-trace")


urlpatterns = [path("refuse", refuse), path("fail", fail), *all_pages]


class TestPolicy:
    @pytest.mark.parametrize(
        "page", ["/account/sign-in", "/", "/hosts/", "/nowhere", "/healthz", "/api/v1/me"]
    )
    def test_stands_on_every_answer(self, operator: Client, page: str) -> None:
        headers = operator.get(page).headers

        assert headers["Content-Security-Policy"] == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert len(headers["X-Request-ID"]) == 16

    def test_allows_nothing_inline_and_nothing_from_elsewhere(self) -> None:
        assert "unsafe" not in POLICY
        assert "http" not in POLICY


@pytest.mark.urls(__name__)
class TestErrors:
    def test_are_a_page_with_what_to_do(self, operator: Client) -> None:
        answer = operator.get("/refuse")
        page = answer.content.decode()

        assert answer.status_code == 409
        assert "The machine &lt;b&gt; runs." in page
        assert "Stop it first." in page
        assert answer.headers["X-Request-ID"] in page

    def test_are_a_message_where_htmx_asked(self, operator: Client) -> None:
        answer = operator.get("/refuse", headers={"hx-request": "true"})

        assert answer.status_code == 409
        assert answer.headers["HX-Retarget"] == "#messages"
        assert b"<html" not in answer.content

    @pytest.mark.parametrize("asked", ["", "true"])
    def test_of_ours_say_a_number_and_no_more(self, operator: Client, asked: str) -> None:
        operator.raise_request_exception = False

        answer = operator.get("/fail", headers={"hx-request": asked})

        assert answer.status_code == 500
        assert answer.headers["X-Request-ID"] in answer.content.decode()
        assert b"canary" not in answer.content

    def test_of_things_not_there(self, operator: Client) -> None:
        answer = operator.get("/nowhere", headers={"hx-request": "true"})

        assert answer.status_code == 404
        assert answer.headers["HX-Retarget"] == "#messages"


class TestDoor:
    def test_htmx_takes_the_whole_browser_to_the_sign_in(self, db: None) -> None:
        answer = Client(headers={"x-forwarded-proto": "https", "hx-request": "true"}).get("/hosts/")

        assert answer.status_code == 401
        assert answer.headers["HX-Redirect"] == "/account/sign-in"

    def test_a_name_that_is_not_ours_is_refused(self, cast: Cast) -> None:
        assert browser_of(cast.operator).get("/", headers={"host": "evil.example"}).status_code == 400

    def test_are_problem_details_for_programs(self, operator: Client) -> None:
        answer = operator.get("/api/v1/nowhere")

        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
        assert answer.json()["title"] == "There is nothing here."
