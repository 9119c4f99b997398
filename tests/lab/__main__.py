"""The lab as a command, behind `bin/panel lab`: hosts that stay until somebody takes them down."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.lab.lab import Lab
from tests.lab.namespace import LabError, wait_until
from tests.lab.remote import RemoteHost

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_DESCRIPTION: Final = """\
Real KVM hosts on this machine, in namespaces of their own, registered in the panel: to try what the panel does when
hosts break. Needs root. Guests run in emulation, so let them be small.
"""
_FAULTS: Final[dict[str, tuple[Callable[[RemoteHost], None], str]]] = {
    "cut": (RemoteHost.cut, "pull the network cable"),
    "drop": (RemoteHost.drop, "let a firewall throw everything away, without a word"),
    "refuse": (RemoteHost.refuse, "let a firewall refuse every connection"),
    "heal": (RemoteHost.heal, "undo cut, drop, refuse, slow and lossy"),
    "freeze": (RemoteHost.freeze, "stop libvirtd (SIGSTOP): it accepts and never answers"),
    "thaw": (RemoteHost.thaw, "let it go on"),
    "kill": (RemoteHost.kill, "kill -9 libvirtd; its machines go on"),
    "revive": (RemoteHost.revive, "start it again"),
}
_HOSTS_AT_MOST: Final = 20


def main() -> int:
    """Do what the command line says; returns the exit status."""
    asked = _parser().parse_args()
    folder = Path(os.environ.get("PANEL_STATE_DIR") or _REPOSITORY / "var") / "lab"
    try:
        match asked.command:
            case "up":
                up(folder, asked.count, registered=not asked.unregistered)
            case "keep":
                keep(folder, asked.count)
            case "register":
                register(folder)
            case "down":
                down(folder)
            case "status":
                status(folder)
            case "exec":
                return execute(_host(folder, asked.number), asked.program)
            case "slow":
                _host(folder, asked.number).slow(latency_ms=asked.amount)
            case "lossy":
                _host(folder, asked.number).slow(loss_percent=asked.amount)
            case fault:
                _FAULTS[fault][0](_host(folder, asked.number))
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def up(folder: Path, count: int, *, registered: bool) -> None:
    """Start a process that keeps `count` hosts, wait until they are there, and register them."""
    if _keeper(folder) is not None:
        raise LabError("The lab is up already. End it with: bin/panel lab down")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / "lab.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.lab", "keep", str(count)],
            cwd=_REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    wait_until(lambda: _keeper(folder) is not None or keeper.poll() is not None, "the hosts")
    if keeper.poll() is not None:
        raise LabError(log.read_text().strip())
    status(folder)
    if registered:
        register(folder)


def register(folder: Path) -> None:
    """Tell the panel of all hosts and the hosts of the panel's keys; what is known already stays."""
    for host in _standing(folder).hosts:
        told = subprocess.run(
            [sys.executable, "manage.py", "add_host", host.ip, "--name", f"lab-{host.name}", "--label", "lab",
             "--username", "root", "--host-key", host.host_key],
            cwd=_REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if told.returncode:
            reason = (told.stderr.strip().splitlines() or ["for no known reason"])[-1]
            raise LabError(
                f"The hosts are up, but the panel did not take them: {reason}\n"
                "Start it with bin/panel up, and then tell it of them: bin/panel lab register"
            )
        host.authorize(told.stdout.splitlines()[-1])
        sys.stdout.write(f"{host.name} is lab-{host.name} in the panel\n")


def keep(folder: Path, count: int) -> None:
    """Hold the hosts until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with Lab(folder) as lab:
        lab.up(count)
        _keeper_file(folder).write_text(str(os.getpid()))
        try:
            signal.sigwait({signal.SIGTERM, signal.SIGINT})
        finally:
            _keeper_file(folder).unlink()


def down(folder: Path) -> None:
    """End the hosts with all that runs on them; their files stay for the next time."""
    keeper = _keeper(folder)
    if keeper is None:
        raise LabError("The lab is not up.")
    os.kill(keeper, signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{keeper}").exists(), "the hosts to end")


def status(folder: Path) -> None:
    """One line for each host."""
    for host in _standing(folder).hosts:
        sys.stdout.write(f"{host.name}  {host.ip}  {host.trouble() or 'up'}\n")


def execute(host: RemoteHost, program: list[str]) -> int:
    """Run a program on a host, with this terminal; returns its exit status."""
    return subprocess.run(host.namespace.command(*program), check=False).returncode


def _host(folder: Path, number: int) -> RemoteHost:
    for host in _standing(folder).hosts:
        if host.name == f"kvm{number}":
            return host
    raise LabError(f"There is no host {number}.")


def _standing(folder: Path) -> Lab:
    if _keeper(folder) is None:
        raise LabError("The lab is not up. Start it with: bin/panel lab up 3")
    return Lab.standing(folder)


def _keeper(folder: Path) -> int | None:
    """The process that holds the lab, once all hosts are there."""
    try:
        pid = int(_keeper_file(folder).read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ValueError):
        return None
    return pid if b"\0tests.lab\0keep\0" in command else None


def _keeper_file(folder: Path) -> Path:
    return folder / "keeper"


def _count(text: str) -> int:
    if not 1 <= (count := int(text)) <= _HOSTS_AT_MOST:
        raise ValueError(text)
    return count


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="bin/panel lab", description=_DESCRIPTION)
    command = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    start = command.add_parser("up", help="start hosts and register them in the panel")
    start.add_argument("--unregistered", action="store_true", help="do not tell the panel of them")
    start.add_argument("count", nargs="?", type=_count, default=3, metavar="N", help="how many (3)")
    command.add_parser("keep").add_argument("count", type=_count)
    command.add_parser("register", help="tell the panel of them, where it was not there yet")
    command.add_parser("down", help="end them, with all machines on them; the panel sees them as unreachable")
    command.add_parser("status", help="show them")
    run = command.add_parser("exec", help="run a program on host I")
    run.add_argument("number", type=int, metavar="I")
    run.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM")
    for name, (_, told) in _FAULTS.items():
        command.add_parser(name, help=told).add_argument("number", type=int, metavar="I")
    for name, unit, told in (
        ("slow", "MS", "make each round trip take that many ms more"),
        ("lossy", "PERCENT", "lose that share of all packets, both ways"),
    ):
        bad = command.add_parser(name, help=told)
        bad.add_argument("number", type=int, metavar="I")
        bad.add_argument("amount", type=float, metavar=unit)
    return top


if __name__ == "__main__":
    sys.exit(main())
