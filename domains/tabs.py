"""The tabs of a machine's page."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from domains.models import Domain


@dataclass(frozen=True, slots=True)
class Tab:
    """`url` is a URL name that takes a machine's UUID; `needs` an attribute that `machine.find` puts on the machine."""

    key: str
    label: str
    url: str
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A tab as the page has it."""

    label: str
    address: str
    current: bool


TABS = (
    Tab("overview", "Overview", "domains:detail"),
    Tab("hardware", "Hardware", "domains:hardware"),
    Tab("options", "Options", "domains:options"),
    Tab("snapshots", "Snapshots", "domains:snapshots"),
    Tab("guest", "Guest", "domains:guest"),
    Tab("definition", "Definition", "domains:definition", needs="may_read_definition"),
)


def of(domain: Domain, current: str) -> list[Shown]:
    """Those that the person of `machine.find` may open; `current` is the key of the one that is shown."""
    return [
        Shown(tab.label, reverse(tab.url, args=[domain.uuid]), tab.key == current)
        for tab in TABS
        if not tab.needs or getattr(domain, tab.needs)
    ]
