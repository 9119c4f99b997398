"""The names and addresses of this machine, and who listens where; read from the kernel, never looked up in DNS."""

import fcntl
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

SIOCGIFADDR = 0x8915  # netdevice(7)
ELSEWHERE = ("192.0.2.1", 9)  # documentation addresses (RFC 5737): reached by the default route, if at all
TCP_LISTEN = "0A"


def own_names() -> tuple[str, ...]:
    """What a browser may call this machine: its addresses, the main one first, its host name, the loopback names."""
    names = [*main_address(), *card_addresses(), socket.gethostname().lower(), "localhost", "127.0.0.1"]
    return tuple(dict.fromkeys(names))


def main_address() -> list[str]:
    """The IPv4 address that the default route leaves from; none where there is no such route. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return []
        return [str(probe.getsockname()[0])]


def card_addresses() -> list[str]:
    """The IPv4 address of each network card; bridges and cables of guests and containers are no way in."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            if not Path("/sys/class/net", name, "device").exists():
                continue
            with suppress(OSError):  # a card without an IPv4 address
                reply = fcntl.ioctl(probe, SIOCGIFADDR, struct.pack("256s", name.encode()))
                found.append(socket.inet_ntoa(reply[20:24]))
    return found


def has_ipv6() -> bool:
    """Whether the kernel has IPv6 switched on; nginx can't listen on [::] otherwise."""
    return Path("/proc/net/if_inet6").exists()


def port_is_free(port: int) -> bool:
    """Whether we could listen on `port` on all addresses. Raises PermissionError for a port kept for root."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def port_owner(port: int) -> str | None:
    """The program that listens on `port`, as "name (pid)"; None where we may not see it."""
    inodes = _listening_inodes(port)
    for process in Path("/proc").glob("[0-9]*"):
        if inodes & _open_files(process):
            return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return None


def _open_files(process: Path) -> set[str]:
    """What its descriptors point to, as far as we may see that."""
    targets = set()
    with suppress(OSError):  # the process is gone, or someone else's
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                targets.add(os.readlink(descriptor))
    return targets


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == TCP_LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes
