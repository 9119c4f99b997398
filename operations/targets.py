"""What kinds of things operations are about, and where these have their pages. The rooms above say it when they are
loaded."""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.urls import reverse

_pages: dict[str, tuple[str, str]] = {}
_models: dict[str, type[models.Model]] = {}
_wholes: set[str] = set()


def register(model: type[models.Model], *, page: str, words: str, whole: bool = False) -> None:
    """Say that things of `model`, which has a `uuid`, are called `words` and have the page `page` (of a UUID).

    Without pages `page` is blank. Operations on a `whole` may consist of operations on other things.
    """
    kind = model._meta.model_name or ""
    if whole:
        _wholes.add(kind)
    _pages[kind] = (page, words)
    _models[kind] = model


def find(kind: str, key: UUID) -> models.Model | None:
    """The thing itself; None where it is gone or its kind unknown."""
    model = _models.get(kind)
    return None if model is None else model._default_manager.filter(uuid=key).first()


def address(kind: str, key: UUID) -> str:
    """The page of one thing, "" for a kind without pages."""
    page, _ = _pages.get(kind, ("", ""))
    return reverse(page, args=[key]) if page else ""


def words(kind: str) -> str:
    """What things of that kind are called on screen."""
    return _pages.get(kind, ("", kind))[1]


def may_have_parts(kind: str) -> bool:
    """Whether operations on such a thing are to be asked for their parts."""
    return kind in _wholes


def kinds() -> dict[str, str]:
    """Every registered kind with its words, for filters."""
    return {kind: words for kind, (_, words) in sorted(_pages.items())}
