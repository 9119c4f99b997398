"""What may be done to a machine, by whom, and in which of its states: one table, read by actions, pages and REST."""

from __future__ import annotations

from accounts.permissions import Verb
from domains.device_rules import DEVICE_RULES
from domains.disk_rules import DISK_RULES
from domains.models import Domain, DomainState
from domains.option_rules import OPTION_RULES
from domains.rule import Rule, defined, without_saved
from domains.templates import dependents

_S = DomainState
_LIVE = frozenset({_S.RUNNING, _S.PAUSED, _S.SHUTTING_DOWN, _S.CRASHED, _S.SUSPENDED})
_MADE = frozenset(_S) - {_S.CREATING}


def _saved(domain: Domain) -> str:
    return "" if domain.managed_save else f"{domain.name} has no saved memory."


def _with_host(domain: Domain) -> str:
    return "" if domain.autostart else f"{domain.name} does not start with its host."


def _alone(domain: Domain) -> str:
    return f"{domain.name} starts with its host already." if domain.autostart else ""


def _unprotected(domain: Domain) -> str:
    if not domain.protected:
        return ""
    return f"{domain.name} is protected from deletion. Lift the protection on its page first."


def _template(domain: Domain) -> str:
    return "" if domain.template else f"{domain.name} is no template."


# What may also be done to a template; anything else could change the disks that machines are based on.
OF_TEMPLATES = frozenset(
    {
        "domain.clone",
        "domain.rename",
        "domain.untemplate",
        "domain.delete",
        "domain.trash",
        "domain.restore",
        "domain.purge",
        "domain.change.label",
        "domain.change.cpu",
        "domain.change.memory",
        "domain.change.boot",
        "domain.change.clock",
    }
)
# What takes away from under its machines what their disks are based on.
_ENDING = frozenset({"domain.untemplate", "domain.delete", "domain.trash"})


def _as_template(kind: str, domain: Domain) -> str:
    if not domain.template:
        return ""
    if kind not in OF_TEMPLATES:
        return f"{domain.name} is a template: make machines from it, or make it a machine again."
    names = dependents(domain) if kind in _ENDING else []
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"The disks of {', '.join(names[:3])}{more} are based on those of {domain.name}. Delete them first."
    )


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
        also=(defined,),
        long=True,
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
        also=(defined, _alone),
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
    "domain.snapshot.create": Rule(
        label="Take a snapshot",
        title="Take a snapshot of {name}",
        verb=Verb.DOMAIN_EDIT,
        icon="camera",
        states=frozenset({_S.RUNNING, _S.PAUSED, _S.OFF}),
        also=(without_saved, defined),
    ),
    "domain.snapshot.revert": Rule(
        label="Go back to a snapshot",
        title="Take {name} back to a snapshot",
        verb=Verb.DOMAIN_EDIT,
        icon="arrow-back-up",
        states=frozenset({_S.RUNNING, _S.PAUSED, _S.OFF, _S.CRASHED, _S.SUSPENDED}),
        also=(defined,),
        warning="What its disks and its memory hold now is lost, and its hardware becomes what it was.",
    ),
    "domain.snapshot.delete": Rule(
        label="Delete a snapshot",
        title="Delete a snapshot of {name}",
        verb=Verb.DOMAIN_EDIT,
        icon="trash",
        states=frozenset({_S.RUNNING, _S.PAUSED, _S.OFF}),
        also=(without_saved,),
        warning="Nobody can go back to it afterwards. The machine itself stays as it is.",
    ),
    "domain.delete": Rule(
        label="Delete",
        title="Delete {name}",
        verb=Verb.DOMAIN_DELETE,
        icon="trash",
        states=_MADE,
        also=(_unprotected,),
    ),
    "domain.trash": Rule(
        label="Move to the trash",
        title="Move {name} to the trash",
        verb=Verb.DOMAIN_DELETE,
        icon="trash",
        states=_MADE,
        also=(_unprotected,),
    ),
    "domain.rename": Rule(
        label="Rename",
        title="Rename {name}",
        verb=Verb.DOMAIN_EDIT,
        icon="cursor-text",
        states=frozenset({_S.OFF}),
        also=(defined, without_saved),
    ),
    "domain.clone": Rule(
        label="Clone",
        title="Clone {name}",
        verb=Verb.DOMAIN_CREATE,
        icon="copy",
        states=frozenset({_S.OFF}),
        also=(defined, without_saved),
    ),
    "domain.template": Rule(
        label="Make a template",
        title="Make {name} a template",
        verb=Verb.DOMAIN_CREATE,
        icon="template",
        states=frozenset({_S.OFF}),
        also=(defined, without_saved),
    ),
    "domain.untemplate": Rule(
        label="Make it a machine again",
        title="Make {name} a machine again",
        verb=Verb.DOMAIN_CREATE,
        icon="template-off",
        states=frozenset({_S.OFF}),
        also=(_template,),
    ),
    "domain.restore": Rule(
        label="Restore",
        title="Restore {name} from the trash",
        verb=Verb.DOMAIN_DELETE,
        icon="restore",
        states=_MADE,
    ),
    "domain.purge": Rule(
        label="Delete for good",
        title="Delete {name} from the trash",
        verb=Verb.DOMAIN_DELETE,
        icon="trash-x",
        states=_MADE,
    ),
    "domain.define": Rule(
        label="Change the definition",
        title="Change the definition of {name}",
        verb=Verb.DOMAIN_DEFINE,
        icon="file-code",
        states=_MADE,
        also=(defined, without_saved),
    ),
    "domain.guest.ping": Rule(
        label="Ask the agent",
        title="Ask the guest agent of {name}",
        verb=Verb.DOMAIN_GUEST,
        icon="message-question",
        states=frozenset({_S.RUNNING}),
    ),
    "domain.guest.freeze": Rule(
        label="Freeze file systems",
        title="Freeze the file systems of {name}",
        verb=Verb.DOMAIN_GUEST,
        icon="snowflake",
        states=frozenset({_S.RUNNING}),
        warning="Programs in it that write to a disk stand still until the file systems are thawed.",
    ),
    "domain.guest.thaw": Rule(
        label="Thaw file systems",
        title="Thaw the file systems of {name}",
        verb=Verb.DOMAIN_GUEST,
        icon="sun",
        states=frozenset({_S.RUNNING}),
    ),
    "domain.guest.trim": Rule(
        label="Give back unused space",
        title="Trim the file systems of {name}",
        verb=Verb.DOMAIN_GUEST,
        icon="scissors",
        states=frozenset({_S.RUNNING}),
    ),
    "domain.guest.password": Rule(
        label="Set a password",
        title="Set a password in {name}",
        verb=Verb.DOMAIN_GUEST,
        icon="key",
        states=frozenset({_S.RUNNING}),
    ),
    **DEVICE_RULES,
    **DISK_RULES,
    **OPTION_RULES,
}


def allowed(kind: str, domain: Domain) -> bool:
    """Whether it makes sense in the state last seen."""
    return not refusal(kind, domain)


def refusal(kind: str, domain: Domain) -> str:
    """Why it makes no sense now, in words for people; "" where it does. Raises KeyError for an unknown kind."""
    rule = RULES[kind]
    if domain.state not in rule.states:
        return (
            f"“{rule.label}” makes no sense now: {domain.name} is {DomainState(domain.state).label.lower()}."
        )
    return _as_template(kind, domain) or next(
        filter(None, (condition(domain) for condition in rule.also)), ""
    )
