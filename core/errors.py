"""Errors that a person is shown.

PanelError
├── Forbidden       the person may not do this (403; a row they may not even see is a 404 from the query)
├── InvalidInput    a value is wrong; names the field it stands beside (422)
├── Conflict        the world is in another state than the request thinks (409)
│   └── TargetBusy  an operation on the same thing is still running; carries it
└── Unavailable     something the panel needs doesn't answer just now (503)
"""

from __future__ import annotations

from typing import ClassVar


class PanelError(Exception):
    """What happened in one sentence, and in `fix` what to do next; both may be shown to anyone.

    `code` is a word for programs, where they must tell an error from others of its status.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = ""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


class Forbidden(PanelError):
    """The actor's roles do not allow the verb."""

    status = 403


class InvalidInput(PanelError):
    """One value can't be accepted; `field` names it as the form and the REST schema do."""

    status = 422

    def __init__(self, message: str, *, field: str, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.field = field


class Conflict(PanelError):
    """Somebody or something was faster."""

    status = 409


class TargetBusy(Conflict):
    """Another operation holds the target; `operation_id` is its id as text."""

    def __init__(self, message: str, *, operation_id: str, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.operation_id = operation_id


class Unavailable(PanelError):
    """A part of the panel or a host doesn't answer; trying again later may help."""

    status = 503
