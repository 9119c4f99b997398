"""Why a console ended: one list for the proxy that says it and for the page that shows it.

Codes 4400 to 4499 are private use (RFC 6455 §7.4.2); 1012 is the registered "service restart".
"""

from enum import Enum
from typing import Self


class Closing(Enum):
    """A WebSocket close code, the words a person reads, and whether the page comes back by itself.

    `again` promises that a new ticket may help without anybody doing something first.
    """

    code: int
    words: str
    again: bool

    BAD_CLIENT = 4400, "The browser and the console did not understand each other.", False
    TICKET_REFUSED = 4401, "This console's ticket was not accepted.", False
    WRONG_MACHINE = 4403, "What answered is not this virtual machine's screen.", False
    MACHINE_OFF = 4404, "The virtual machine is off.", True
    BAD_SCREEN = 4405, "The virtual machine's screen does not answer as it should.", True
    IDLE = 4408, "The connection was silent for too long.", True
    TOO_MANY = 4409, "You have too many consoles open. Close one of them first.", False
    STOPPED = 4410, "The virtual machine was stopped.", True
    SIGNED_OUT = 4411, "You signed out.", False
    RIGHTS_CHANGED = 4412, "Your rights were changed.", True
    DELETED = 4413, "The virtual machine was deleted.", False
    TOO_LONG = 4414, "A console ends after twelve hours.", True
    SCREEN_GONE = 4415, "The virtual machine's screen went away.", True
    UNAVAILABLE = 4416, "The panel cannot check tickets at the moment.", True
    RESTARTING = 1012, "The console service restarts.", True

    def __new__(cls, code: int, words: str, again: bool) -> Self:  # noqa: FBT001 - the rows above are a table
        member = object.__new__(cls)
        member._value_ = code
        member.code, member.words, member.again = code, words, again
        return member

    @property
    def reason(self) -> str:
        """The word that travels with the code, for people who read a network log."""
        return self.name.lower()


REVOCATIONS = frozenset({Closing.STOPPED, Closing.SIGNED_OUT, Closing.RIGHTS_CHANGED, Closing.DELETED})
"""What a room outside the proxy may end a console for."""


def table() -> dict[int, dict[str, str | bool]]:
    """The list as the page's script needs it, by code."""
    return {closing.code: {"words": closing.words, "again": closing.again} for closing in Closing}
