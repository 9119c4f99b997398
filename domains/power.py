"""The power verbs: their words, and in which states each makes sense. One table, read by actions, pages and REST."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domains.models import DomainState

_LIVE = frozenset({DomainState.RUNNING, DomainState.PAUSED, DomainState.SHUTTING_DOWN, DomainState.CRASHED})


class PowerVerb(StrEnum):
    """Named as virsh names them, but for `force-off`, which virsh calls destroy and which destroys nothing."""

    START = "start"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"
    RESET = "reset"
    FORCE_OFF = "force-off"
    SUSPEND = "suspend"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class PowerRule:
    """`title` speaks of "{name}"; `states` are those in which the verb is offered; `icon` is Tabler's."""

    label: str
    title: str
    icon: str
    states: frozenset[DomainState]
    warning: str = ""


RULES: dict[PowerVerb, PowerRule] = {
    PowerVerb.START: PowerRule(
        "Start",
        "Start {name}",
        "player-play",
        frozenset({DomainState.OFF, DomainState.CRASHED, DomainState.SUSPENDED}),
    ),
    PowerVerb.SHUTDOWN: PowerRule(
        "Shut down", "Ask {name} to shut down", "power", frozenset({DomainState.RUNNING})
    ),
    PowerVerb.REBOOT: PowerRule(
        "Reboot", "Ask {name} to reboot", "refresh", frozenset({DomainState.RUNNING})
    ),
    PowerVerb.SUSPEND: PowerRule("Pause", "Pause {name}", "player-pause", frozenset({DomainState.RUNNING})),
    PowerVerb.RESUME: PowerRule(
        "Resume", "Resume {name}", "player-track-next", frozenset({DomainState.PAUSED, DomainState.SUSPENDED})
    ),
    PowerVerb.RESET: PowerRule(
        "Reset",
        "Reset {name}",
        "rotate",
        frozenset({DomainState.RUNNING, DomainState.PAUSED}),
        warning="It restarts at once, as if by the reset button. What its programs have not written to disk is lost.",
    ),
    PowerVerb.FORCE_OFF: PowerRule(
        "Force off",
        "Force {name} off",
        "plug-off",
        _LIVE,
        warning="It stops at once, as if the plug were pulled. What its programs have not written to disk is lost.",
    ),
}


def offered(verb: PowerVerb, state: str) -> bool:
    """Whether `verb` makes sense in `state`."""
    return state in RULES[verb].states
