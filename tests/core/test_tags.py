"""What templates are given: markup from nowhere, and the right colours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.template import Context, Template, engines
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Role
from hosts.models import Host, HostState
from operations.models import Operation


def render(text: str, **context: object) -> str:
    template: Template = engines["django"].from_string(text).template  # type: ignore[attr-defined]
    return template.render(Context(context))


class TestIcon:
    def test_is_a_drawing_without_words(self) -> None:
        svg = render('{% icon "server" %}')

        assert svg.startswith('<svg class="icon"')
        assert 'aria-hidden="true"' in svg
        assert "style=" not in svg

    def test_that_does_not_exist_is_an_error_of_ours(self) -> None:
        with pytest.raises(FileNotFoundError):
            render('{% icon "no-such-icon" %}')


class TestState:
    @pytest.mark.parametrize(
        ("thing", "expected"),
        [
            (Host(state=HostState.UP), "state-green"),
            (Host(state=HostState.DOWN), "state-red"),
            (Host(state=HostState.NEW), "state-grey"),
            (Operation(state="running"), "state-blue state-moving"),
            (Operation(state="succeeded"), "state-green"),
        ],
    )
    def test_has_its_colour_and_its_word(self, thing: Host | Operation, expected: str) -> None:
        html = render("{% state_badge thing %}", thing=thing)

        assert expected in html
        assert thing.get_state_display() in html

    def test_words_from_elsewhere_are_text(self) -> None:
        assert "<b>" not in render("{% badge '<b>' words %}", words="<b>x</b>")


class TestSince:
    def test_has_the_exact_time_beside_it(self) -> None:
        html = render("{% since when %}", when=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

        assert 'title="2026-01-02 03:04:05 UTC"' in html
        assert 'datetime="2026-01-02T03:04:05.000+00:00"' in html

    def test_never(self) -> None:
        assert "not yet" in render("{% since when never='not yet' %}", when=None)
        assert "just now" in render("{% since when %}", when=timezone.now())


class TestBar:
    @pytest.mark.parametrize(
        ("used", "total", "percent", "level"),
        [
            (0, 0, 0, "fine"),
            (1, 4, 25, "fine"),
            (8, 10, 80, "high"),
            (9, 10, 90, "full"),
            (12, 10, 100, "full"),
        ],
    )
    def test_says_how_full(self, used: int, total: int, percent: int, level: str) -> None:
        html = render("{% bar used total %}", used=used, total=total)

        assert f"usage-{level}" in html
        assert f'value="{percent}"' in html

    def test_calm_keeps_its_colour(self) -> None:
        assert "usage-fine" in render("{% bar 12 10 calm=True %}")


class TestPostButton:
    def test_posts_with_its_token_and_asks_before(self) -> None:
        html = render(
            '{% post_button "/x/" "Delete" confirm=words %}', csrf_token="tok", words='All "data" is lost'
        )

        assert 'method="post"' in html
        assert 'name="csrfmiddlewaretoken" value="tok"' in html
        assert 'data-confirm="All &quot;data&quot; is lost"' in html


class TestCan:
    def test_asks_the_table(self) -> None:
        text = '{% if user|can:"host.manage" %}yes{% else %}no{% endif %}'

        assert render(text, user=User(role=Role.OPERATOR)) == "yes"
        assert render(text, user=User(role=Role.AUDITOR)) == "no"
