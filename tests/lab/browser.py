"""A real browser in a network namespace of its own.

Chromium breaks off what it loads when an interface of its machine comes or goes (ERR_NETWORK_CHANGED), and guests'
interfaces do all the time: a page whose script is broken off stays as it came for ever. People sit at another machine,
and so does this browser: one cable leads from it to here, and on it nothing changes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.lab.claims import claim, remove_link
from tests.lab.namespace import Namespace, run

_CHROMIUM: Final = "/usr/bin/chromium"
# Its own services have no business on a test machine, and fail loudly without the Internet.
_QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
# Without IPv6: an address that gives itself two seconds later is a change, too.
_INIT: Final = """
set -e
mount -t proc proc /proc
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
ip link set lo up
touch "$1/ready"
while :; do sleep 1000 & wait; done
"""


@contextmanager
def chromium(root: Path) -> Iterator[Browser]:
    """Chromium, with its files under `root`, to which this machine is `localhost`. Raises LabError."""
    number, lock = claim("browser", lambda number: remove_link(_cable(number)))
    place = Namespace(root, ("-m", "-n", "-p"))
    try:
        place.start(_INIT)
        here = _lead_cable(number, place)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=_program(root, place),
                args=[*_QUIET, f"--host-resolver-rules=MAP localhost {here}"],
            )
            yield browser
            browser.close()
    finally:
        place.stop()
        remove_link(_cable(number))
        lock.close()


def _cable(number: int) -> str:
    return f"kvmweb{number}"


def _lead_cable(number: int, place: Namespace) -> str:
    """Connect the browser's machine with this one; returns the address of this one."""
    cable, prefix, inside = _cable(number), f"10.215.{number}", str(place.pid)
    run(["ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", inside])
    run(["ip", "address", "add", f"{prefix}.1/30", "dev", cable])
    run(["ip", "link", "set", cable, "up"])
    place.exec("ip", "address", "add", f"{prefix}.2/30", "dev", "eth0")
    place.exec("ip", "link", "set", "eth0", "up")
    return f"{prefix}.1"


def _program(root: Path, place: Namespace) -> Path:
    """What to start in Chromium's place, so that it runs in there."""
    program = root / "chromium"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(place.command(_CHROMIUM))} "$@"\n')
    program.chmod(0o755)
    return program
