"""What the checks of one host share while they run: its credentials, one connection, its facts."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from hosts import connections
from hosts.models import Credentials, Host
from hypervisor.facts import HostFacts
from hypervisor.isolated import Isolated

OPEN_S: Final = 12.0


class Visit:
    """Opens the connection when the first check wants it. A context manager."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._lines = ExitStack()
        self._hypervisor: Isolated | None = None
        self._facts: HostFacts | None = None

    @property
    def credentials(self) -> Credentials:
        """As they are now: a person may confirm a key while the checks run."""
        return Credentials.objects.filter(host=self.host).first() or Credentials(host=self.host)

    def hypervisor(self) -> Isolated:
        """The connection. Raises HypervisorError."""
        if self._hypervisor is None:
            self._hypervisor = self._lines.enter_context(
                connections.open_isolated(self.host, deadline_s=OPEN_S)
            )
            self._hypervisor.deadline_s = OPEN_S
        return self._hypervisor

    def facts(self) -> HostFacts:
        """What the host says of itself. Raises HypervisorError."""
        if self._facts is None:
            self._facts = self.hypervisor().host_facts()
        return self._facts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
