"""The power verbs, in the order of the menu; `lifecycle` has their words, and in which states each makes sense."""

from __future__ import annotations

from enum import StrEnum

from domains.lifecycle import RULES as ALL
from domains.lifecycle import Rule, allowed
from domains.models import Domain


class PowerVerb(StrEnum):
    """Named as virsh names them, but for `force-off`, which virsh calls destroy and which destroys nothing."""

    START = "start"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"
    SUSPEND = "suspend"
    RESUME = "resume"
    RESET = "reset"
    FORCE_OFF = "force-off"


RULES: dict[PowerVerb, Rule] = {verb: ALL[f"domain.{verb}"] for verb in PowerVerb}


def offered(verb: PowerVerb, domain: Domain) -> bool:
    """Whether `verb` makes sense in the machine's state."""
    return allowed(f"domain.{verb}", domain)
