"""The names and addresses of this machine, and who listens where; read from the kernel, never looked up in DNS."""

import fcntl
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

SIOCGIFADDR = 0x8915  # netdevice(7)
# Bridges and cables that belong to guests and containers: no browser comes from there.
INNER_INTERFACES = ("lo", "virbr", "vnet", "veth", "docker", "br-", "tap", "lxc")
TCP_LISTEN = "0A"


def own_names() -> tuple[str, ...]:
    """What a browser may call this machine: its addresses, its host name, then the loopback names."""
    names = [*interface_addresses(), socket.gethostname().lower(), "localhost", "127.0.0.1"]
    return tuple(dict.fromkeys(names))


def interface_addresses() -> list[str]:
    """The IPv4 address of each outward interface, in the kernel's order."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            if name.startswith(INNER_INTERFACES):
                continue
            try:
                reply = fcntl.ioctl(probe, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue  # an interface without an IPv4 address
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
