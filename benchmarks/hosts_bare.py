"""The least that can watch many hosts: connections that stay open, and every 5 s one question for their statistics.

    python -m benchmarks.hosts_bare SOCKET…

Run by `benchmarks.hosts` beside the panel's watcher; keeps nothing, records nothing, and hangs with its hosts.
"""

import sys
import time

import libvirt

INTERVAL_S = 5.0


def main() -> None:
    """Until it is killed."""
    connections = [libvirt.open(f"qemu+unix:///system?socket={socket}") for socket in sys.argv[1:]]
    while True:
        began = time.monotonic()
        for connection in connections:
            connection.getAllDomainStats(0, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
        time.sleep(max(0.0, INTERVAL_S - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
