"""What may be done to a machine's disks and drives."""

from __future__ import annotations

from typing import Final

from accounts.permissions import Verb
from domains.models import DomainState
from domains.rule import Rule, defined, without_saved

_OFF: Final = frozenset({DomainState.OFF})
# A paused guest can be given a disk; it can't let go of one.
_ANSWERING: Final = _OFF | {DomainState.RUNNING}
_STEADY: Final = _ANSWERING | {DomainState.PAUSED}


def _rule(label: str, title: str, icon: str, states: frozenset[DomainState], warning: str = "") -> Rule:
    return Rule(
        label=label,
        title=title,
        verb=Verb.DOMAIN_EDIT,
        states=states,
        also=(defined, without_saved),
        icon=icon,
        warning=warning,
    )


DISK_RULES: Final = {
    "domain.disk.add": _rule("Add a disk", "Add a disk to {name}", "plus", _STEADY),
    "domain.disk.attach": _rule("Attach a disk", "Attach a disk to {name}", "link", _STEADY),
    "domain.disk.detach": _rule(
        "Detach a disk",
        "Detach a disk from {name}",
        "unlink",
        _ANSWERING,
        "What its programs have open on the disk is cut off.",
    ),
    "domain.disk.change": _rule("Change a disk", "Change a disk of {name}", "settings", _STEADY),
    "domain.disk.resize": _rule("Resize a disk", "Make a disk of {name} larger", "arrows-maximize", _STEADY),
    "domain.media.change": _rule("Change a medium", "Change a medium of {name}", "disc", _STEADY),
    "domain.drive.add": _rule("Add a CD drive", "Add a CD drive to {name}", "plus", _OFF),
    "domain.drive.detach": _rule("Take a drive out", "Take a drive out of {name}", "unlink", _OFF),
}
