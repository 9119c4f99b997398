"""What the checks of one host share while they run: its credentials, one connection, its facts."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

from hosts import connections
from hosts.models import Credentials, Host
from hypervisor.facts import HostFacts
from hypervisor.isolated import Isolated

OPEN_S: Final = 12.0


class Visit:
    """Opens the connection when the first check wants it. A context manager."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._way = _way_to(host)
        self._lines = ExitStack()
        self._hypervisor: Isolated | None = None
        self._facts: HostFacts | None = None

    def refresh(self) -> bool:
        """Read `host` again. Where it is reached otherwise by now, True, and what was opened for it is closed."""
        self.host.refresh_from_db()
        way = _way_to(self.host)
        if way == self._way:
            return False
        self._lines.close()
        self._way, self._hypervisor, self._facts = way, None, None
        return True

    @property
    def credentials(self) -> Credentials:
        """As they are now: a person may confirm a key while the checks run."""
        return Credentials.objects.unopened().filter(host=self.host).first() or Credentials(host=self.host)

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


def _way_to(host: Host) -> tuple[Any, ...]:
    """Where the host is and what is proved to it and by it; not `changed_at`, which a good check moves too."""
    columns = ("ssh_public_key", "host_key", "ca_certificate", "client_certificate")
    known = Credentials.objects.filter(host=host).values_list(*columns).first()
    return host.transport, host.address, host.port, host.username, known
