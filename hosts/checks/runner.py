"""Does the checks of a host, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import structlog
from django.db import transaction

from hosts import inventory
from hosts.checks import beside, catalog, inside, reach, rows
from hosts.checks.finding import Finding, failed, skipped
from hosts.checks.visit import Visit
from hosts.models import GOOD_CHECKS, Host, HostCheck, HostState
from hypervisor.errors import AccessDenied, HypervisorError, NotWhoItWas

log = structlog.get_logger(__name__)

_DO: Final[dict[str, Callable[[Visit], Finding]]] = {
    "name": reach.name,
    "port": reach.port,
    "host_key": reach.host_key,
    "certificate": reach.certificate,
    "sign_in": reach.sign_in,
    "libvirt": inside.libvirt,
    "kvm": inside.kvm,
    "pool": inside.pool,
    "network": inside.network,
    "clock": beside.clock,
    "console": beside.console,
}


def run(host: Host, wanted: Iterable[HostCheck]) -> Iterable[HostCheck]:
    """Do the checks of the rows in `wanted`, and give each when it has ended and is written.

    A person may change or remove `host` meanwhile: it is read again before each check, and after it.
    """
    with Visit(host) as visit:
        for row in wanted:
            visit.refresh()
            if host.gone_at is not None:
                return
            checks = {check.key: check for check in catalog.checks_of(host)}
            if row.key not in checks:
                continue
            finding = _do(visit, checks[row.key], checks)
            if not _keep(visit, row, finding):
                continue
            if row.key == "libvirt" and finding.state in GOOD_CHECKS:
                _tell_watcher(host)
            yield row


@transaction.atomic
def _keep(visit: Visit, row: HostCheck, finding: Finding) -> bool:
    """Write the finding; not where it is about a way that the host had until just now, and the row waits again."""
    Host.objects.select_for_update().get(pk=visit.host.pk)
    if visit.refresh():
        rows.put_back(visit.host)
        return False
    rows.end(row, finding)
    return True


def _tell_watcher(host: Host) -> None:
    """Of a host that it could not reach, or not yet."""
    if Host.objects.filter(pk=host.pk, state__in=(HostState.DOWN, HostState.BLOCKED)).exists():
        inventory.record_changed_access(host)


def _do(visit: Visit, check: catalog.Check, checks: dict[str, catalog.Check]) -> Finding:
    states = rows.states(visit.host)
    for key in check.after:
        if key in checks and states.get(key) not in GOOD_CHECKS:
            return skipped(f"Not before this is good: {checks[key].title}.")
    try:
        return _DO[check.key](visit)
    except NotWhoItWas as error:
        return failed(str(error), "Look at the check of its identity above.")
    except AccessDenied as error:
        return failed(str(error), "Look at what the panel's user may do there.")
    except HypervisorError as error:
        return failed(str(error), "Check again; if it stays so, look at the host and at the network between.")
    except Exception as error:
        log.exception("a check broke", check=check.key)
        return failed(
            f"The panel broke: {type(error).__name__}.", "Tell your operator; the log has the details."
        )
