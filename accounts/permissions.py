"""Who may do what: one pure table. Reads go through `permitted()`, writes through `require()`; nothing else decides."""

from __future__ import annotations

from enum import StrEnum


class Verb(StrEnum):
    """What may be done. A verb belongs to one kind of thing; the kind stands before the dot."""

    DOMAIN_VIEW = "domain.view"
    DOMAIN_CREATE = "domain.create"
    DOMAIN_POWER = "domain.power"
    DOMAIN_CONSOLE = "domain.console"
    DOMAIN_EDIT = "domain.edit"
    DOMAIN_GUEST = "domain.guest"
    DOMAIN_PASSTHROUGH = "domain.passthrough"
    # To read and to write the definition itself, which speaks of the host: its paths, networks and devices.
    DOMAIN_DEFINITION = "domain.definition.view"
    DOMAIN_DEFINE = "domain.define"
    DOMAIN_ASSIGN = "domain.assign"
    DOMAIN_DELETE = "domain.delete"
    DOMAIN_MIGRATE = "domain.migrate"
    HOST_VIEW = "host.view"
    HOST_MANAGE = "host.manage"
    HOST_INSECURE = "host.insecure"
    STORAGE_VIEW = "storage.view"
    STORAGE_MANAGE = "storage.manage"
    NETWORK_VIEW = "network.view"
    OPERATION_VIEW = "operation.view"
    OPERATION_CANCEL = "operation.cancel"
    AUDIT_VIEW = "audit.view"
    ACCOUNT_MANAGE = "account.manage"


class Role(StrEnum):
    """Roles a person has everywhere, and (TEAM_…) roles a person has in one team, for what the team owns.

    OWNER is the role of a person towards a thing of their own.
    """

    SUPERUSER = "superuser"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    REQUESTER = "requester"
    TEAM_LEAD = "team_lead"
    TEAM_MEMBER = "team_member"
    OWNER = "owner"


GLOBAL_ROLES = (Role.SUPERUSER, Role.OPERATOR, Role.AUDITOR, Role.REQUESTER)
TEAM_ROLES = (Role.TEAM_LEAD, Role.TEAM_MEMBER)

_USE = frozenset({Verb.DOMAIN_VIEW, Verb.DOMAIN_POWER, Verb.DOMAIN_CONSOLE, Verb.OPERATION_VIEW})
# GUEST is to act inside the machine through its agent (a password, its file systems).
_OWN = _USE | {Verb.DOMAIN_EDIT, Verb.DOMAIN_GUEST, Verb.DOMAIN_DELETE, Verb.OPERATION_CANCEL}
_VIEW = frozenset({v for v in Verb if v.value.endswith(".view")})

ALLOWED: dict[Role, frozenset[Verb]] = {
    Role.SUPERUSER: frozenset(Verb),
    Role.OPERATOR: frozenset(Verb)
    - {Verb.ACCOUNT_MANAGE, Verb.AUDIT_VIEW, Verb.HOST_INSECURE, Verb.DOMAIN_DEFINE},
    Role.AUDITOR: _VIEW,
    Role.REQUESTER: frozenset(),
    Role.TEAM_LEAD: _OWN,
    Role.TEAM_MEMBER: _USE,
    Role.OWNER: _OWN,
}


def roles_with(verb: Verb) -> frozenset[Role]:
    """The roles that allow `verb`."""
    return frozenset(role for role, verbs in ALLOWED.items() if verb in verbs)
