"""OpenSSH for the panel: the host's key before it is trusted, and commands on a host.

Like connections, only for workers, the watcher and commands: a page that waited for a host would keep its people.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Final

from hosts import credentials, keys
from hosts.models import Host
from hypervisor import transport_errors
from hypervisor.errors import AccessDenied, HypervisorError, Unreachable
from hypervisor.uri import Address, Transport

SSH_PORT: Final = 22
ANSWER_BYTES: Final = 64 * 1024
_FAILED: Final = 255  # ssh(1): its own failure; every other status is the command's
_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


class CommandFailed(HypervisorError):
    """The host ran the command and it failed; the message is the last line of what it said."""


def scan_host_key(hostname: str, port: int = SSH_PORT, *, deadline_s: float = 8.0) -> keys.HostKey:
    """The key that the host shows now; whether it is really this host's, only a person can say.

    Raises Unreachable, and Invalid for what is no host name.
    """
    address = Address(transport=Transport.TCP, hostname=hostname, port=port)
    argv = ["ssh-keyscan", "-T", str(max(1, int(deadline_s))), "-p", str(port), "-t", "ed25519,ecdsa,rsa"]
    said = execute([*argv, "--", address.hostname], deadline_s=deadline_s + 1)
    shown = {}
    for line in said.output.splitlines():
        _, _, key = line.partition(" ")
        if not line.startswith("#") and key.partition(" ")[0] in keys.KINDS:
            shown[key.partition(" ")[0]] = key
    for kind in keys.KINDS:
        if kind in shown:
            return keys.HostKey.parse(shown[kind])
    raise Unreachable(f"No SSH server answers at port {port}.")


def run(host: Host, argv: list[str], *, deadline_s: float) -> str:
    """Run a command on the host and give what it printed, at most ANSWER_BYTES of it.

    `argv` is ours, never a person's. Raises CommandFailed, Unreachable, AccessDenied, NotWhoItWas.
    """
    said = execute([*command(host), shlex.join(argv)], deadline_s=deadline_s)
    if said.status == _FAILED:
        raise failure(said.errors)
    if said.status < 0:
        raise CommandFailed("It said more than the panel reads, or was killed.")
    if said.status:
        raise CommandFailed(
            (said.errors.strip().splitlines() or [f"It ended with status {said.status}."])[-1]
        )
    return said.output


def try_forward(host: Host, port: int, *, deadline_s: float) -> None:
    """Reach the host's own 127.0.0.1:`port` through its SSH server; that nothing listens there is no failure.

    Raises AccessDenied where the server forwards nothing, and what `run` raises.
    """
    # -W says why it failed in a message that our configuration is too quiet for.
    argv = command(host, "-o", "LogLevel=INFO", "-W", f"127.0.0.1:{port}")
    said = execute(argv, deadline_s=deadline_s)
    if "administratively prohibited" in said.errors:
        raise AccessDenied("The host's SSH server forbids forwarding.")
    if said.status and "open failed" not in said.errors:
        raise failure(said.errors)


def command(host: Host, *options: str) -> list[str]:
    """The argv that reaches `host` by ssh, up to and without the command to run there. Raises Invalid."""
    folder = credentials.ensure(host)
    address = Address(
        transport=Transport.SSH,
        hostname=host.address,
        port=ssh_port(host),
        username=host.username,
        credentials=str(folder),
    )
    user = ["-l", address.username] if address.username else []
    return [
        str(folder / "ssh"),
        "-T",
        "-p",
        str(address.port),
        *user,
        *options,
        "--",
        address.hostname,
    ]


def ssh_port(host: Host) -> int:
    """Where the host's SSH server listens: `port` is libvirt's, unless libvirt is reached by SSH."""
    return (host.port or SSH_PORT) if host.transport == Transport.SSH else SSH_PORT


def failure(words: str) -> HypervisorError:
    """The error that ssh's words stand for."""
    return transport_errors.read(words) or Unreachable(
        (words.strip().splitlines() or ["The SSH connection broke."])[-1][:300]
    )


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended and what it said; below 0, `status` is the signal that killed it."""

    status: int
    output: str
    errors: str


def execute(argv: list[str], *, deadline_s: float) -> Said:
    """Run a program of ours in a session of its own; past the deadline it is killed and Unreachable raised.

    A host owns what comes back: it goes to files that can't grow past ANSWER_BYTES.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            ["prlimit", f"--fsize={ANSWER_BYTES}", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=deadline_s)
        except subprocess.TimeoutExpired as error:
            raise Unreachable("The host does not answer.") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        errors.seek(0)
        return Said(
            status,
            output.read().decode(errors="replace"),
            errors.read().decode(errors="replace"),
        )
