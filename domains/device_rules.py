"""What may be done to a machine's network cards and its other devices: rows of `lifecycle.RULES`."""

from __future__ import annotations

from typing import Final

from accounts.permissions import Verb
from domains.models import DomainState
from domains.rule import Rule, defined, without_saved

_OFF: Final = frozenset({DomainState.OFF})
# A paused guest can be given a device; it can't let go of one.
_ANSWERING: Final = _OFF | {DomainState.RUNNING}
_STEADY: Final = _ANSWERING | {DomainState.PAUSED}


def _rule(
    label: str,
    title: str,
    icon: str,
    states: frozenset[DomainState],
    *,
    verb: Verb = Verb.DOMAIN_EDIT,
    warning: str = "",
) -> Rule:
    return Rule(
        label=label,
        title=title,
        verb=verb,
        states=states,
        also=(defined, without_saved),
        icon=icon,
        warning=warning,
    )


DEVICE_RULES: Final = {
    "domain.nic.add": _rule("Add a network card", "Add a network card to {name}", "plus", _STEADY),
    "domain.nic.detach": _rule(
        "Take a network card out",
        "Take a network card out of {name}",
        "unlink",
        _ANSWERING,
        warning="What its programs have open over this card is cut off.",
    ),
    "domain.nic.change": _rule(
        "Change a network card", "Change a network card of {name}", "settings", _STEADY
    ),
    "domain.device.add": _rule("Add a device", "Add a device to {name}", "plus", _STEADY),
    "domain.device.detach": _rule(
        "Take a device out",
        "Take a device out of {name}",
        "unlink",
        _ANSWERING,
        warning="What its programs do with the device ends.",
    ),
    "domain.device.change": _rule("Change a device", "Change a device of {name}", "settings", _STEADY),
    "domain.hostdev.attach": _rule(
        "Give it a device of the host",
        "Give {name} a device of its host",
        "usb",
        _STEADY,
        verb=Verb.DOMAIN_PASSTHROUGH,
    ),
    "domain.hostdev.detach": _rule(
        "Give the device back to the host",
        "Give a device of {name} back to its host",
        "unlink",
        _ANSWERING,
        verb=Verb.DOMAIN_PASSTHROUGH,
        warning="What its programs do with the device ends.",
    ),
}
