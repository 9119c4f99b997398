"""The way of one machine from host to host, and where it is after anything that may have happened on it.

libvirt's own promise (measured: docs/facts.md): whoever leads a migration and dies leaves one copy running, at the
source. Two moments remain for us: the target runs it and the source was not told, and the source stands still because
its daemon died. `settle` ends both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from core.errors import Conflict, Unavailable
from core.units import MIB
from domains.moving import Move
from domains.procedures.steps import host_by
from hosts.connections import Hypervisor, borrow
from hypervisor.errors import AlreadyInState, HypervisorError, NotFound
from hypervisor.facts import DomainFacts, DomainState, MigrationProgress
from hypervisor.specs import MigrationSpec
from operations.run import Later, Run

# A domain that waits at the target for its memory, or stands at the source while the other half starts.
_UNDER_WAY: Final = frozenset({"migration", "starting up", "post-copy"})
_POST_COPY: Final = "post-copy"
_TORN: Final = "post-copy failed"
_LOOK_EVERY_S: Final = 0.5
# How long libvirt takes to throw a half away whose other half is gone: a keepalive's time and a little.
_PATIENCE_S: Final = 40.0
_POST_COPY_S: Final = 10.0


@contextmanager
def both(move: Move) -> Iterator[tuple[Hypervisor, Hypervisor]]:
    """Connections to the source and to the target."""
    with borrow(host_by(move.source)) as source, borrow(host_by(move.target)) as target:
        yield source, target


@dataclass(frozen=True, slots=True)
class _Seen:
    """What both hosts say of the machine; None where it is not known."""

    here: DomainFacts | None
    there: DomainFacts | None

    @property
    def arrived(self) -> bool:
        """Whether the target has the whole of it: running, or paused because a person paused it."""
        there = self.there
        return there is not None and _active(there) and there.state_reason not in {*_UNDER_WAY, _TORN}

    @property
    def reasons(self) -> set[str]:
        """Why those halves that are active are in their states."""
        return {half.state_reason for half in (self.here, self.there) if half is not None and _active(half)}

    @property
    def under_way(self) -> bool:
        """Whether one half waits for the other."""
        return not self.reasons.isdisjoint(_UNDER_WAY)


def settle(source: Hypervisor, target: Hypervisor, move: Move) -> bool:
    """Whether the machine is at the target now. Ends what an earlier attempt left open: one copy runs afterwards.

    Raises Later while a post-copy goes on, and Conflict where it can't be decided without a person.
    """
    if not move.live:
        return target.domain_exists(move.domain)
    _end_job(source, move.domain)
    seen = _still(source, target, move.domain)
    if _POST_COPY in seen.reasons:
        # It runs there with a part of its memory here: to end either half is to lose it.
        raise Later(after_s=_POST_COPY_S, message="It runs at the target; the rest of its memory follows.")
    if _TORN in seen.reasons:
        raise Conflict(
            "Its memory is spread over both hosts since the line between them broke.",
            fix="Mend the line, then run “virsh migrate --postcopy-resume” by hand. Do not start it anew before.",
        )
    if seen.arrived:
        _end_here(source, seen, move)
        return True
    if seen.there is not None and _active(seen.there):
        with suppress(AlreadyInState, NotFound):
            target.destroy_domain(move.domain)
    if seen.here is None:
        raise Conflict("Neither host has it any more.")
    if seen.here.state_reason in _UNDER_WAY:
        with suppress(AlreadyInState):
            source.resume_domain(move.domain)
    return False


def carry(run: Run, source: Hypervisor, target: Hypervisor, move: Move, spec: MigrationSpec) -> None:
    """Migrate, tell how far it is, and heed a cancel. Raises what the migration raises, Cancelled and LeaseLost."""
    failure: list[Exception] = []

    def call() -> None:
        try:
            source.migrate_domain(move.domain, target, spec)
        except Exception as error:  # noqa: BLE001  (raised again in the thread that waits for it)
            failure.append(error)

    thread = threading.Thread(target=call, name=f"migrate {move.domain}", daemon=True)
    thread.start()
    try:
        _follow(run, source, move, _waits(thread))
    except BaseException:
        with suppress(HypervisorError):
            source.abort_job(move.domain)
        thread.join(_PATIENCE_S)
        raise
    if failure:
        raise failure[0]


def _waits(thread: threading.Thread) -> Callable[[], bool]:
    def waits() -> bool:
        thread.join(_LOOK_EVERY_S)
        return thread.is_alive()

    return waits


def _follow(run: Run, source: Hypervisor, move: Move, waits: Callable[[], bool]) -> None:
    limited = switched = False
    options = move.options
    while waits():
        run.check_cancelled()
        with suppress(HypervisorError):  # what matters is what the migration itself says in the end
            progress = source.migration_progress(move.domain)
            if progress is None:
                continue
            if options.downtime_ms and not limited:
                source.set_migration_downtime(move.domain, options.downtime_ms)
                limited = True
            late = options.post_copy_after_s and progress.elapsed_ms > 1000 * options.post_copy_after_s
            if late and not switched and progress.total_bytes:
                if not run.commit():
                    continue  # cancelled, which the next round heeds
                source.start_post_copy(move.domain)
                switched = True
                run.log("It runs at the target; the rest of its memory follows.")
            run.progress(_fraction(progress), _words(progress))


def _fraction(progress: MigrationProgress) -> float:
    return progress.processed_bytes / progress.total_bytes if progress.total_bytes else 0.0


def _words(progress: MigrationProgress) -> str:
    if not progress.total_bytes:
        return "Getting ready"
    words = f"{progress.processed_bytes // MIB:,} MiB copied, {progress.remaining_bytes // MIB:,} MiB to go"
    if progress.throttle_percent:
        words += f"; slowed down by {progress.throttle_percent} % to catch up"
    return words


def _end_job(source: Hypervisor, domain: UUID) -> None:
    """End the migration that a dead worker left. Raises Unavailable where libvirt takes longer than _PATIENCE_S.

    Left alone its source would copy on until a write fails, for half a minute and more.
    """
    until = time.monotonic() + _PATIENCE_S
    while source.migration_progress(domain) is not None:
        source.abort_job(domain)
        if time.monotonic() > until:
            raise Unavailable("An earlier attempt to move it has not ended yet.")
        time.sleep(_LOOK_EVERY_S)


def _still(source: Hypervisor, target: Hypervisor, domain: UUID) -> _Seen:
    """What both say once libvirt has thrown its halves away, or didn't within _PATIENCE_S."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        seen = _Seen(_read(source, domain), _read(target, domain))
        if seen.arrived or not seen.under_way or time.monotonic() > until:
            return seen
        time.sleep(_LOOK_EVERY_S)


def _end_here(source: Hypervisor, seen: _Seen, move: Move) -> None:
    """Take the half away that stands still at the source because nobody told it of the end."""
    if seen.here is None or not _active(seen.here):
        return
    if seen.here.state_reason not in _UNDER_WAY:
        raise Conflict(
            f"{move.name} runs on both hosts.",
            fix="Force one of them off at once: two machines write to the same disks.",
        )
    with suppress(AlreadyInState, NotFound):
        source.destroy_domain(move.domain)


def _active(facts: DomainFacts) -> bool:
    return facts.state not in (DomainState.OFF, DomainState.CRASHED)


def _read(hypervisor: Hypervisor, domain: UUID) -> DomainFacts | None:
    try:
        return hypervisor.read_domain(domain)
    except NotFound:
        return None
