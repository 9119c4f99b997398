"""The power verbs, in the order of the menu; `lifecycle` has their words, and in which states each makes sense."""

from __future__ import annotations

from enum import StrEnum

from domains.lifecycle import RULES as ALL
from domains.rule import Rule


class PowerVerb(StrEnum):
    """Named as virsh names them, but for `force-off`, which virsh calls destroy and which destroys nothing."""

    START = "start"
    START_PAUSED = "start-paused"
    START_FRESH = "start-fresh"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"
    SUSPEND = "suspend"
    RESUME = "resume"
    SAVE = "save"
    DISCARD_SAVED = "discard-saved"
    RESET = "reset"
    FORCE_OFF = "force-off"
    AUTOSTART_ON = "autostart-on"
    AUTOSTART_OFF = "autostart-off"

    @property
    def kind(self) -> str:
        """The kind of operation that does it."""
        return f"domain.{self}"


RULES: dict[PowerVerb, Rule] = {verb: ALL[verb.kind] for verb in PowerVerb}
