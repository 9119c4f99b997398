"""What may be done to a machine, by whom, and in which of its states: one table, read by actions, pages and REST."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.permissions import Verb
from domains.models import Domain, DomainState

_S = DomainState
_LIVE = frozenset({_S.RUNNING, _S.PAUSED, _S.SHUTTING_DOWN, _S.CRASHED})
_MADE = frozenset(_S) - {_S.CREATING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of operation. `title` speaks of "{name}"; `states` are those last seen in which it makes sense.

    `warning` is asked before, where something may be lost; `icon` is Tabler's.
    """

    label: str
    title: str
    verb: Verb
    states: frozenset[DomainState]
    icon: str = ""
    warning: str = ""


RULES: dict[str, Rule] = {
    "domain.start": Rule(
        label="Start",
        title="Start {name}",
        verb=Verb.DOMAIN_POWER,
        icon="player-play",
        states=frozenset({_S.OFF, _S.CRASHED, _S.SUSPENDED}),
    ),
    "domain.shutdown": Rule(
        label="Shut down",
        title="Ask {name} to shut down",
        verb=Verb.DOMAIN_POWER,
        icon="power",
        states=frozenset({_S.RUNNING}),
    ),
    "domain.reboot": Rule(
        label="Reboot",
        title="Ask {name} to reboot",
        verb=Verb.DOMAIN_POWER,
        icon="refresh",
        states=frozenset({_S.RUNNING}),
    ),
    "domain.suspend": Rule(
        label="Pause",
        title="Pause {name}",
        verb=Verb.DOMAIN_POWER,
        icon="player-pause",
        states=frozenset({_S.RUNNING}),
    ),
    "domain.resume": Rule(
        label="Resume",
        title="Resume {name}",
        verb=Verb.DOMAIN_POWER,
        icon="player-track-next",
        states=frozenset({_S.PAUSED, _S.SUSPENDED}),
    ),
    "domain.reset": Rule(
        label="Reset",
        title="Reset {name}",
        verb=Verb.DOMAIN_POWER,
        icon="rotate",
        states=frozenset({_S.RUNNING, _S.PAUSED}),
        warning="It restarts at once, as if by the reset button. What its programs have not written to disk is lost.",
    ),
    "domain.force-off": Rule(
        label="Force off",
        title="Force {name} off",
        verb=Verb.DOMAIN_POWER,
        icon="plug-off",
        states=_LIVE,
        warning="It stops at once, as if the plug were pulled. What its programs have not written to disk is lost.",
    ),
    "domain.delete": Rule(
        label="Delete",
        title="Delete {name}",
        verb=Verb.DOMAIN_DELETE,
        icon="trash",
        states=_MADE,
    ),
}


def allowed(kind: str, domain: Domain) -> bool:
    """Whether it makes sense in the state last seen."""
    return not refusal(kind, domain)


def refusal(kind: str, domain: Domain) -> str:
    """Why it makes no sense now, in words for people; "" where it does. Raises KeyError for an unknown kind."""
    rule = RULES[kind]
    if domain.state in rule.states:
        return ""
    return f"“{rule.label}” makes no sense now: {domain.name} is {DomainState(domain.state).label.lower()}."
