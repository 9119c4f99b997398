"""Ways through ssh to what listens on a host's own addresses, for consoles.

One ssh per host and panel (ssh's ControlMaster), shared by all workers; each port of the host that is wanted becomes a
unix socket, 0600, in the state folder. Such an ssh ends by itself when nothing went through it for a while; `close`
and `bin/panel down` end it at once.

    STATE_DIR/run/s12          talks to the ssh of the host with the primary key 12
    STATE_DIR/run/s12.lock     held while it is started; says for which address and credentials
    STATE_DIR/run/t12-5901     leads to the host's 127.0.0.1:5901
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Final

from django.conf import settings

from hosts import credentials, ssh
from hosts.models import Credentials, Host, Transport
from hypervisor.errors import HypervisorError, Unreachable, Unsupported

# Longer than a ticket lives: between the tunnel's making and the browser's coming nothing goes through it.
IDLE_S: Final = 120
START_S: Final = 2.0 * credentials.CONNECT_S
_ASK_S: Final = 5.0
# For questions to the ssh that runs already: they need no configuration, and a name only for the syntax.
_ASK: Final = ["ssh", "-F", "none"]
_NOBODY: Final = "nobody"


class NoWay(Unsupported):
    """The panel has no ssh to this host, or nothing that could be reached through it."""


def open_tunnel(host: Host, address: str, port: int) -> Path:
    """A unix socket that leads to `address`:`port` as the host sees it; it serves for at least IDLE_S.

    Raises NoWay, Unreachable, AccessDenied, NotWhoItWas.
    """
    _require_ssh(host)
    try:
        listens = ip_address(address)
    except ValueError as error:
        raise NoWay("The screen listens at something that is no IP address.") from error
    target = f"[{listens}]" if listens.version == 6 else str(listens)
    at_home = str(listens) == "127.0.0.1"
    name = f"{port}" if at_home else f"{port}-{sha256(target.encode()).hexdigest()[:6]}"
    path = _run() / f"t{host.pk}-{name}"
    wanted = f"{path}:{target}:{port}"
    with _locked(host) as lock:
        if lock.read() == _purpose(host) and _forward(host.pk, wanted):
            return path
        _start(host, lock)
        if not _forward(host.pk, wanted):
            raise Unreachable("The SSH connection to the host broke just now.")
    return path


def close(host_pk: int) -> None:
    """End the ssh of a host, and with it all that goes through it; harmless where there is none."""
    control = _control(host_pk)
    if control.exists():
        with contextlib.suppress(HypervisorError):
            ssh.execute([*_ASK, "-S", str(control), "-O", "exit", _NOBODY], deadline_s=_ASK_S)
    for path in (control, *_run().glob(f"t{host_pk}-*")):
        path.unlink(missing_ok=True)


def close_unwanted() -> None:
    """Close the tunnels to hosts that were removed, or are reached otherwise by now."""
    for control in _run().glob("s*"):
        if not control.name[1:].isdigit():
            continue
        host = Host.objects.present().filter(pk=int(control.name[1:])).first()
        if host is None:
            close(int(control.name[1:]))
            control.with_suffix(".lock").unlink(missing_ok=True)
            continue
        with _locked(host) as lock:
            if lock.read() != _purpose(host):
                close(host.pk)


def _require_ssh(host: Host) -> None:
    if host.transport == Transport.LOCAL:
        raise NoWay("This machine needs no tunnel.")
    known = Credentials.objects.filter(host=host).first()
    if known is None or not host.username or not known.ssh_private_key or not known.host_key:
        raise NoWay(
            "The consoles of this host go through SSH, which is not set up: give the host an SSH user, put the panel's "
            "public key there and confirm the host's key."
        )


def _forward(host_pk: int, wanted: str) -> bool:
    """Ask the ssh of a host for one more way; False where none runs. Asked for twice, it keeps the one it has."""
    control = _control(host_pk)
    if not control.exists():
        return False
    argv = [*_ASK, "-S", str(control), "-O", "forward", "-L", wanted, _NOBODY]
    return ssh.execute(argv, deadline_s=_ASK_S).status == 0


def _start(host: Host, lock: IO[str]) -> None:
    """Start the ssh of a host anew. Raises Unreachable, AccessDenied, NotWhoItWas."""
    # One that is left over, or was for other credentials. With a socket in its way ssh would start without any, and
    # never end.
    close(host.pk)
    options = ("-M", "-S", str(_control(host.pk)), "-o", f"ControlPersist={IDLE_S}", "-f", "-N")
    said = ssh.execute(ssh.command(host, *options), deadline_s=START_S)
    if said.status:
        raise ssh.failure(said.errors)
    lock.seek(0)
    lock.truncate()
    lock.write(_purpose(host))
    lock.flush()


def _purpose(host: Host) -> str:
    """What a running ssh was started for; another text means that it has to go."""
    changed_at = Credentials.objects.filter(host=host).values_list("changed_at", flat=True).first()
    return f"{host.username}@{host.address} {ssh.ssh_port(host)} {changed_at}"


@contextlib.contextmanager
def _locked(host: Host) -> Iterator[IO[str]]:
    path = _run() / f"s{host.pk}.lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _control(host_pk: int) -> Path:
    return _run() / f"s{host_pk}"


def _run() -> Path:
    return Path(settings.STATE_DIR) / "run"
