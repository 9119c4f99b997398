"""Checking a host because a person asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accounts.permissions import Verb
from hosts.checks import catalog, rows, runner
from hosts.models import Host
from operations.procedures import Step, procedure, settled
from operations.run import Run


class CheckHost(Step):
    """All checks that wait, those too that are asked for while it runs."""

    title = "Check"

    def do(self, run: Run) -> None:
        """Nothing is changed, so that a worker may die anywhere and another begins with what still waits."""
        host = Host.objects.present().filter(uuid=run.operation.target_id).first()
        if host is None:
            return
        titles = {check.key: check.title for check in catalog.checks_of(host)}
        for done, row in enumerate(runner.run(host, rows.waiting(host)), start=1):
            run.progress(min(done / len(titles), 1.0), titles.get(row.key, ""))


@procedure("host.check", verb=Verb.HOST_MANAGE)
def check(params: dict[str, Any]) -> Sequence[Step]:
    """One step; each check has a row of its own on the host's page."""
    return [CheckHost()]


@settled("host.check")
def leave_rest(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the engine's own shape)
    """What was not done is left to the clock."""
    host = Host.objects.filter(uuid=run.operation.target_id).first()
    if host is not None and not succeeded:
        rows.put_back(host)
