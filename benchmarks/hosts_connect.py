"""What a connection to a host over SSH costs: the panel's, and bare libvirt's. Run by `benchmarks.hosts`:

    python -m benchmarks.hosts_connect HOST_NAME BARE_URI

The last line is JSON, in milliseconds: to open one and ask it something, and to ask an open one again.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import django

django.setup()

import libvirt  # noqa: E402

from hosts.connections import act_as, borrow, forget  # noqa: E402
from hosts.models import Host  # noqa: E402

OPENINGS = 5
CALLS = 200


def main() -> None:
    """Measure both in turns."""
    name, uri = sys.argv[1:]
    act_as("command")
    host = Host.objects.get(name=name)
    cold: list[float] = []
    bare_cold: list[float] = []
    for _ in range(OPENINGS):
        cold.append(_ms(lambda: _ask(host)))
        bare_cold.append(_ms(lambda: libvirt.open(uri).getMemoryStats(-1, 0)))
        if len(cold) < OPENINGS:
            forget(host)
    bare = libvirt.open(uri)
    reuse = [_ms(lambda: _ask(host)) for _ in range(CALLS)]
    bare_reuse = [_ms(lambda: bare.getMemoryStats(-1, 0)) for _ in range(CALLS)]
    figures = {"cold": cold, "bare_cold": bare_cold, "reuse": reuse, "bare_reuse": bare_reuse}
    sys.stdout.write(json.dumps({key: statistics.median(values) for key, values in figures.items()}) + "\n")


def _ask(host: Host) -> None:
    with borrow(host) as hypervisor:
        hypervisor.memory_free_mib()


def _ms(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
