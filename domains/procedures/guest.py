"""What the guest's agent is asked to do. Each call ends after five seconds, whatever the agent does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from accounts.permissions import Verb
from core.errors import Conflict
from domains.models import GuestSecret
from domains.procedures.steps import domain_on_host
from hosts.connections import Hypervisor
from hypervisor.errors import HypervisorError, NotFound, Refused, Unreachable
from operations.procedures import Step, procedure, settled
from operations.run import Later, Run

_LOOK_EVERY_S: Final = 5.0


@contextmanager
def agent(run: Run) -> Iterator[tuple[Hypervisor, UUID]]:
    """As `domain_on_host`; an agent that is not there or silent is told as Conflict, with what to do about it."""
    with domain_on_host(run.params) as (hypervisor, uuid):
        try:
            yield hypervisor, uuid
        except (Unreachable, NotFound):
            raise
        except Refused as error:
            raise Conflict(
                f"The guest agent can't be asked: {error.message}.",
                fix="See that qemu-guest-agent runs in the guest, and that the machine has its channel.",
            ) from error
        except HypervisorError as error:
            raise Conflict(f"The guest agent refused: {error.message}.") from error


class Ask(Step):
    """Whether it answers, and how far its clock is off."""

    title = "Ask for its clock"

    def do(self, run: Run) -> None:
        """Ask."""
        with agent(run) as (hypervisor, uuid):
            began = time.monotonic()
            told_s = hypervisor.guest_time_s(uuid)
            took_ms = 1000 * (time.monotonic() - began)
        off_s = told_s - time.time()
        run.log(f"It answered in {took_ms:.0f} ms. Its clock is {off_s:+.1f} s off the panel's.")


class Freeze(Step):
    """Nothing is written until it thaws; freezing what is frozen is refused by the agent."""

    title = "Freeze the file systems"

    def probe(self, run: Run) -> bool:
        """Whether that was told before the worker died."""
        return "frozen_at" in run.params

    def do(self, run: Run) -> None:
        """Freeze, and note when. One that was frozen already, perhaps by us, thaws first."""
        with agent(run) as (hypervisor, uuid):
            with suppress(HypervisorError):
                hypervisor.thaw_filesystems(uuid)
            frozen = hypervisor.freeze_filesystems(uuid)
        run.keep(frozen_at=timezone.now().isoformat())
        run.log(f"{frozen} file systems are frozen.")

    def undo(self, run: Run) -> None:
        """Thaw, also where the answer to a freeze was lost."""
        _thaw(run)


class WaitFrozen(Step):
    """No worker is held meanwhile; asked to stop, the operation thaws at once."""

    title = "Keep them frozen"

    def do(self, run: Run) -> None:
        """Raise Later until the time is over."""
        until = datetime.fromisoformat(run.params["frozen_at"]) + timedelta(seconds=run.params["seconds"])
        left_s = (until - timezone.now()).total_seconds()
        if left_s > 0:
            raise Later(after_s=min(left_s, _LOOK_EVERY_S), message=f"They thaw in {left_s:.0f} s")


class Thaw(Step):
    """Harmless where nothing is frozen."""

    title = "Thaw the file systems"

    def do(self, run: Run) -> None:
        """Thaw."""
        _thaw(run)


class Trim(Step):
    """The agent goes on with a large one after its five seconds are over; twice is harmless."""

    title = "Trim the file systems"

    def do(self, run: Run) -> None:
        """Ask for it."""
        with agent(run) as (hypervisor, uuid):
            hypervisor.trim_filesystems(uuid)


class SetPassword(Step):
    """The same password twice is the same password."""

    title = "Set the password"

    def do(self, run: Run) -> None:
        """Hand it over."""
        secret = GuestSecret.objects.filter(uuid=run.params["secret"]).first()
        if secret is None:
            raise Conflict("The password was not kept that long.", fix="Set it again.")
        with agent(run) as (hypervisor, uuid):
            hypervisor.set_guest_password(uuid, run.params["user"], secret.text)


def _thaw(run: Run) -> None:
    with agent(run) as (hypervisor, uuid):
        thawed = hypervisor.thaw_filesystems(uuid)
    run.log(f"{thawed} file systems thawed.")


@procedure("domain.guest.ping", verb=Verb.DOMAIN_GUEST)
def ping(params: dict[str, Any]) -> Sequence[Step]:
    """One question."""
    return [Ask()]


@procedure("domain.guest.freeze", verb=Verb.DOMAIN_GUEST)
def freeze(params: dict[str, Any]) -> Sequence[Step]:
    """They thaw by themselves: a person may forget, and a worker may die."""
    return [Freeze(), WaitFrozen(), Thaw()]


@procedure("domain.guest.thaw", verb=Verb.DOMAIN_GUEST)
def thaw(params: dict[str, Any]) -> Sequence[Step]:
    """What somebody froze beside the panel."""
    return [Thaw()]


@procedure("domain.guest.trim", verb=Verb.DOMAIN_GUEST)
def trim(params: dict[str, Any]) -> Sequence[Step]:
    """All of its file systems."""
    return [Trim()]


@procedure("domain.guest.password", verb=Verb.DOMAIN_GUEST)
def password(params: dict[str, Any]) -> Sequence[Step]:
    """One account's."""
    return [SetPassword()]


@settled("domain.guest.password")
def forget_it(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """Whatever came of it, the password is not kept."""
    GuestSecret.objects.filter(uuid=run.params["secret"]).delete()
