"""Where the thing that an operation is about has its page. The rooms above say it when they are loaded."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse

_pages: dict[str, tuple[str, str]] = {}


def register(kind: str, *, page: str, words: str) -> None:
    """Say that things of `kind` (their model's name) are called `words` and have the page `page` (of a UUID)."""
    _pages[kind] = (page, words)


def address(kind: str, key: UUID) -> str:
    """The page of one thing, "" for a kind without pages."""
    page, _ = _pages.get(kind, ("", ""))
    return reverse(page, args=[key]) if page else ""


def words(kind: str) -> str:
    """What things of that kind are called on screen."""
    return _pages.get(kind, ("", kind))[1]


def kinds() -> dict[str, str]:
    """Every registered kind with its words, for filters."""
    return {kind: words for kind, (_, words) in sorted(_pages.items())}
