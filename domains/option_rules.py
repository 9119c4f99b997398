"""What may be done to a machine's options, by whom, and in which of its states: rows of `lifecycle.RULES`."""

from __future__ import annotations

from accounts.permissions import Verb
from domains.models import DomainState
from domains.rule import Rule, defined, without_saved

_MADE = frozenset(DomainState) - {DomainState.CREATING}


def _change(label: str, what: str, icon: str, warning: str = "") -> Rule:
    return Rule(
        label=label,
        title=f"Change {what} of {{name}}",
        verb=Verb.DOMAIN_EDIT,
        icon=icon,
        states=_MADE,
        also=(defined, without_saved),
        warning=warning,
    )


OPTION_RULES: dict[str, Rule] = {
    "domain.change.cpu": _change("Change the processor", "the processor", "cpu"),
    "domain.change.memory": _change("Change the memory", "the memory", "database"),
    "domain.change.boot": _change("Change the boot order", "the boot order", "list-numbers"),
    "domain.change.firmware": _change(
        "Change the firmware",
        "the firmware",
        "file-settings",
        "A system that was installed with other firmware may not start any more, until it is changed back.",
    ),
    "domain.change.tpm": _change("Change the TPM", "the TPM", "shield-lock"),
    "domain.change.clock": _change("Change the clock", "the clock", "clock"),
    "domain.change.label": Rule(
        label="Change its labels",
        title="Change the labels of {name}",
        verb=Verb.DOMAIN_EDIT,
        icon="tags",
        states=_MADE,
        also=(defined,),
    ),
    "domain.start-from": Rule(
        label="Start once from another device",
        title="Start {name} once from another device",
        verb=Verb.DOMAIN_POWER,
        icon="disc",
        states=frozenset({DomainState.OFF}),
        also=(defined, without_saved),
    ),
}
