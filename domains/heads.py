"""Heads of tables of machines, and the choices above them: where a click leads, and what is chosen now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from domains.listing import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A column's head. `sorted` says for screen readers how the table is sorted by it now, blank where it isn't."""

    key: str
    title: str
    classes: str
    address: str
    sorted: str


def head(
    wanted: Wanted, path: str, key: str, title: str, classes: str, *, largest_first: bool = False
) -> Head:
    """The head of the column that `wanted.sorts` calls `key`; a second click turns the order round."""
    up, down = key, f"-{key}"
    first, second = (down, up) if largest_first else (up, down)
    return Head(
        key=key,
        title=title,
        classes=classes,
        address=path + replace(wanted, sort=second if wanted.sort == first else first, page=1).query(),
        sorted={up: "ascending", down: "descending"}.get(wanted.sort, ""),
    )


def options(choices: Iterable[tuple[object, str]], chosen: object) -> SafeString:
    """For a hundred hosts a loop in the template would take as long as all the rest of the page's frame."""
    return _options(tuple(choices), chosen)


@lru_cache(maxsize=32)
def _options(choices: tuple[tuple[object, str], ...], chosen: object) -> SafeString:
    marks = ((value, mark_safe(" selected") if value == chosen else "", words) for value, words in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', marks)


def pages(wanted: Wanted, path: str, *, shown: int, total: int) -> dict[str, str]:
    """What `domains/_pages.html` shows: which part this is, and the addresses beside it, blank where there is none."""
    start = (wanted.page - 1) * wanted.size
    return {
        "range": f"{start + 1:,}–{start + shown:,} of {total:,}",
        "previous": path + replace(wanted, page=wanted.page - 1).query() if wanted.page > 1 else "",
        "next": path + replace(wanted, page=wanted.page + 1).query() if start + shown < total else "",
    }
