"""Ways through ssh to what listens on a host's own addresses, for consoles.

One ssh per host and panel (ssh's ControlMaster), shared by all workers; each port of the host that is wanted becomes a
unix socket, 0600, in the state folder. Such an ssh ends by itself when nothing went through it for a while; `close`
and `bin/panel down` end it at once.

    STATE_DIR/run/s12          talks to the ssh of the host with the primary key 12
    STATE_DIR/run/s12.lock     held while it is started; says for which address and credentials, and why it was not
    STATE_DIR/run/t12-5901     leads to the host's 127.0.0.1:5901
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
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
# A host that stalls keeps the one worker that tries to reach it, and none of the others for longer than this.
WAIT_S: Final = 2.0
# After it was not reached, nobody tries again for so long.
SPARED_S: Final = 15.0
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
        purpose, _, failure = lock.read().partition("\n")
        if purpose == _purpose(host):
            if _forward(host.pk, wanted):
                return path
            if failure and 0 <= time.time() - os.fstat(lock.fileno()).st_mtime < SPARED_S:
                raise Unreachable(failure)
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
        with contextlib.suppress(Unreachable), _locked(host) as lock:
            if lock.read().partition("\n")[0] != _purpose(host):
                close(host.pk)


def _require_ssh(host: Host) -> None:
    if host.transport == Transport.LOCAL:
        raise NoWay("This machine needs no tunnel.")
    equipped = Credentials.objects.filter(host=host).exclude(ssh_private_key="").exclude(host_key="")
    if not host.username or not equipped.exists():
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
    purpose = _purpose(host)
    try:
        said = ssh.execute(ssh.command(host, *options), deadline_s=START_S)
        if said.status:
            raise ssh.failure(said.errors)
    except Unreachable as error:
        _write(lock, f"{purpose}\n{error.message}")
        raise
    _write(lock, purpose)


def _write(lock: IO[str], text: str) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(text)
    lock.flush()


def _purpose(host: Host) -> str:
    """What a running ssh was started for; another text means that it has to go."""
    changed_at = Credentials.objects.filter(host=host).values_list("changed_at", flat=True).first()
    return f"{host.username}@{host.address} {ssh.ssh_port(host)} {changed_at}"


@contextlib.contextmanager
def _locked(host: Host) -> Iterator[IO[str]]:
    """The host's lock file, ours for now. Raises Unreachable where another worker keeps it for longer than WAIT_S."""
    path = _run() / f"s{host.pk}.lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
        until = time.monotonic() + WAIT_S
        while not _taken(lock):
            if time.monotonic() > until:
                raise Unreachable("The host's SSH server keeps the panel waiting.")
            time.sleep(0.05)
        yield lock


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _control(host_pk: int) -> Path:
    return _run() / f"s{host_pk}"


def _run() -> Path:
    return Path(settings.STATE_DIR) / "run"
