"""Does the checks of a host, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import structlog

from hosts import inventory
from hosts.checks import beside, catalog, inside, reach, rows
from hosts.checks.finding import Finding, failed, skipped
from hosts.checks.visit import Visit
from hosts.models import GOOD_CHECKS, CheckState, Host, HostCheck, HostState
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
    """Do the checks of the rows in `wanted`, and give each when it has ended and is written."""
    checks = {check.key: check for check in catalog.checks_of(host)}
    states = rows.states(host)
    with Visit(host) as visit:
        for row in wanted:
            check = checks.get(row.key)
            if check is None:  # the host was changed meanwhile, and this check is not one of its any more
                row.delete()
                continue
            finding = _do(visit, check, states, checks)
            states[row.key] = finding.state
            rows.end(row, finding)
            if row.key == "libvirt" and finding.state in GOOD_CHECKS:
                _tell_watcher(host)
            yield row


def _tell_watcher(host: Host) -> None:
    """Of a host that it could not reach, or not yet."""
    if Host.objects.filter(pk=host.pk, state__in=(HostState.DOWN, HostState.BLOCKED)).exists():
        inventory.record_changed_access(host)


def _do(
    visit: Visit, check: catalog.Check, states: dict[str, CheckState], checks: dict[str, catalog.Check]
) -> Finding:
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
