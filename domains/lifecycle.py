"""What may be done to a machine, by whom, and in which of its states: one table, read by actions, pages and REST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from accounts.permissions import Verb
from domains.models import Domain, DomainState

_S = DomainState
_LIVE = frozenset({_S.RUNNING, _S.PAUSED, _S.SHUTTING_DOWN, _S.CRASHED, _S.SUSPENDED})
_MADE = frozenset(_S) - {_S.CREATING}


# What is in the way beside the state, in words for people; "" where nothing is.
Condition = Callable[[Domain], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of operation. `title` speaks of "{name}"; `states` are those last seen in which it makes sense.

    `also` is asked where the state fits. `warning` is asked before, where something may be lost; `icon` is Tabler's.
    `rare` keeps it out of menus while it makes no sense.
    """

    label: str
    title: str
    verb: Verb
    states: frozenset[DomainState]
    also: tuple[Condition, ...] = ()
    icon: str = ""
    warning: str = ""
    rare: bool = False


def _saved(domain: Domain) -> str:
    return "" if domain.managed_save else f"{domain.name} has no saved memory."


def _defined(domain: Domain) -> str:
    return "" if domain.persistent else f"{domain.name} has no definition: it vanishes when it stops."


def _with_host(domain: Domain) -> str:
    return "" if domain.autostart else f"{domain.name} does not start with its host."


def _alone(domain: Domain) -> str:
    return f"{domain.name} starts with its host already." if domain.autostart else ""


RULES: dict[str, Rule] = {
    "domain.start": Rule(
        label="Start",
        title="Start {name}",
        verb=Verb.DOMAIN_POWER,
        icon="player-play",
        states=frozenset({_S.OFF}),
    ),
    "domain.start-paused": Rule(
        label="Start paused",
        title="Start {name} paused",
        verb=Verb.DOMAIN_POWER,
        icon="player-skip-forward",
        states=frozenset({_S.OFF}),
        rare=True,
    ),
    "domain.start-fresh": Rule(
        label="Start without saved memory",
        title="Start {name} without its saved memory",
        verb=Verb.DOMAIN_POWER,
        icon="player-eject",
        states=frozenset({_S.OFF}),
        also=(_saved,),
        warning="Its saved memory is discarded. What its programs had not written to disk when it was saved is lost.",
        rare=True,
    ),
    "domain.discard-saved": Rule(
        label="Discard saved memory",
        title="Discard the saved memory of {name}",
        verb=Verb.DOMAIN_POWER,
        icon="eraser",
        states=frozenset({_S.OFF}),
        also=(_saved,),
        warning="It starts anew the next time. What its programs had not written to disk when it was saved is lost.",
        rare=True,
    ),
    "domain.shutdown": Rule(
        label="Shut down",
        title="Shut {name} down",
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
    "domain.save": Rule(
        label="Save to disk",
        title="Save the memory of {name} to disk",
        verb=Verb.DOMAIN_POWER,
        icon="device-floppy",
        states=frozenset({_S.RUNNING, _S.PAUSED}),
        also=(_defined,),
    ),
    "domain.reset": Rule(
        label="Reset",
        title="Reset {name}",
        verb=Verb.DOMAIN_POWER,
        icon="rotate",
        states=frozenset({_S.RUNNING, _S.PAUSED, _S.CRASHED}),
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
    "domain.autostart-on": Rule(
        label="Start with its host",
        title="Let {name} start with its host",
        verb=Verb.DOMAIN_EDIT,
        icon="toggle-right",
        states=_MADE,
        also=(_defined, _alone),
        rare=True,
    ),
    "domain.autostart-off": Rule(
        label="Don't start with its host",
        title="Let {name} not start with its host",
        verb=Verb.DOMAIN_EDIT,
        icon="toggle-left",
        states=_MADE,
        also=(_with_host,),
        rare=True,
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
    if domain.state not in rule.states:
        return f"“{rule.label}” makes no sense now: {domain.name} is {DomainState(domain.state).label.lower()}."
    return next(filter(None, (condition(domain) for condition in rule.also)), "")
