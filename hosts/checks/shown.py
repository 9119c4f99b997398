"""A host's checks as its pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hosts import keys
from hosts.checks import catalog
from hosts.models import CheckState, Credentials, Host, HostCheck

# What a person should know of first.
_WORST: Final = (
    CheckState.FAILED,
    CheckState.RUNNING,
    CheckState.WAITING,
    CheckState.WARNING,
    CheckState.PASSED,
)


@dataclass(frozen=True, slots=True)
class Advice:
    """One line of a fix; a command is there to be copied."""

    text: str
    is_command: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One check with its title; `offered` is the fingerprint of a key that waits to be confirmed."""

    row: HostCheck
    title: str
    advice: tuple[Advice, ...]
    offered: str = ""
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """All of them in one state and a few words."""

    state: CheckState
    words: str


def checks(host: Host) -> list[Shown]:
    """All, in their order. One query, and one more where a key waits to be confirmed."""
    titles = {check.key: check.title for check in catalog.checks_of(host)}
    rows = [row for row in HostCheck.objects.filter(host=host) if row.key in titles]
    unconfirmed = any(row.key == "host_key" and row.state == CheckState.FAILED for row in rows)
    known = Credentials.objects.unopened().filter(host=host).first() if unconfirmed else None
    return [_shown(row, titles[row.key], known) for row in rows]


def summary(shown: list[Shown]) -> Summary | None:
    """What to say in one line; None while nothing was checked."""
    states = [one.row.state for one in shown]
    worst = next((state for state in _WORST if state in states), None)
    if worst is None:
        return None
    count = states.count(worst)
    if worst == CheckState.PASSED and count == len(states):
        return Summary(worst, f"All {count} checks are good")
    if worst == CheckState.PASSED:
        words = f"{count} of {len(states)} checks are good, the others were not done"
        return Summary(CheckState.SKIPPED, words)
    told = {
        CheckState.FAILED: f"{count} of {len(states)} checks failed",
        CheckState.WARNING: f"{count} of {len(states)} checks could be better",
    }
    return Summary(CheckState(worst), told.get(CheckState(worst), "Checks are under way"))


def fingerprint(key: str) -> str:
    """Of a key as it is kept; blank for none."""
    return keys.HostKey.parse(key).fingerprint if key else ""


def _shown(row: HostCheck, title: str, known: Credentials | None) -> Shown:
    advice = tuple(
        Advice(line.removeprefix("$ "), line.startswith("$ ")) for line in row.fix.splitlines() if line
    )
    if row.key != "host_key" or row.state != CheckState.FAILED or known is None:
        return Shown(row, title, advice)
    return Shown(row, title, advice, fingerprint(known.offered_host_key), replaces=bool(known.host_key))
