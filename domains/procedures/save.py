"""Saving a machine's memory to its host's disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from core.units import MIB
from domains.power import RULES, PowerVerb
from domains.procedures.steps import domain_on_host, refresh, show
from hosts.connections import Hypervisor
from hypervisor.errors import AlreadyInState, HypervisorError
from operations.procedures import Step, procedure
from operations.run import Later, Run

_LOOK_EVERY_S: Final = 0.5
_LOOK_AGAIN_S: Final = 5.0
# How long libvirt takes to let a machine go on whose saving was ended.
_PATIENCE_S: Final = 30.0


class Save(Step):
    """The host goes on with it where the worker dies: then the next one looks how far it is."""

    title = "Write its memory to disk"

    def probe(self, run: Run) -> bool:
        """Whether it was saved by an attempt before. Raises Later while that one's saving goes on."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            if hypervisor.save_progress(uuid) is not None:
                raise Later(after_s=_LOOK_AGAIN_S, message="Its memory is being written")
            facts = hypervisor.read_domain(uuid)
            if facts.live_id is None and facts.managed_save:
                refresh(run.params)
                return True
            return False

    def do(self, run: Run) -> None:
        """Save, tell how far it is, and heed a cancel."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            with suppress(AlreadyInState):
                _carry(run, hypervisor, uuid)
            show(run)

    def undo(self, run: Run) -> None:
        """End the writing, or let it go on from what was written."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            if hypervisor.save_progress(uuid) is not None:
                hypervisor.abort_job(uuid)
            facts = hypervisor.read_domain(uuid)
            if facts.live_id is None and facts.managed_save:
                with suppress(AlreadyInState):
                    hypervisor.start_domain(uuid)
            show(run)


def _carry(run: Run, hypervisor: Hypervisor, uuid: UUID) -> None:
    failure: list[Exception] = []

    def call() -> None:
        try:
            hypervisor.save_domain(uuid)
        except Exception as error:  # noqa: BLE001  (raised again in the thread that waits for it)
            failure.append(error)

    thread = threading.Thread(target=call, name=f"save {uuid}", daemon=True)
    thread.start()
    try:
        _follow(run, hypervisor, uuid, thread)
    except BaseException:
        with suppress(HypervisorError):
            hypervisor.abort_job(uuid)
        thread.join(_PATIENCE_S)
        raise
    if failure:
        raise failure[0]


def _follow(run: Run, hypervisor: Hypervisor, uuid: UUID, thread: threading.Thread) -> None:
    while True:
        thread.join(_LOOK_EVERY_S)
        if not thread.is_alive():
            return
        run.check_cancelled()
        with suppress(HypervisorError):  # what matters is what the saving itself says in the end
            told = hypervisor.save_progress(uuid)
            if told is not None and told.total_bytes:
                run.progress(
                    told.processed_bytes / told.total_bytes, f"{told.processed_bytes // MIB:,} MiB written"
                )


@procedure(PowerVerb.SAVE.kind, verb=RULES[PowerVerb.SAVE].verb)
def save(params: dict[str, Any]) -> Sequence[Step]:
    """Cancelled, the machine goes on."""
    return [Save()]
