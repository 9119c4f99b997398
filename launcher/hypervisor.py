"""This machine's libvirt daemon: running and reachable, by systemd where that runs and by hand where not."""

import getpass
import grp
import os
import shutil
import socket
import stat
import subprocess
import time
from pathlib import Path

from launcher.say import LauncherError, say, step

SOCKET = Path("/run/libvirt/libvirt-sock")
SYSTEMD = Path("/run/systemd/system")
UDEV = Path("/run/udev/control")
KVM = Path("/dev/kvm")
START_SECONDS = 20


def ensure(path: str) -> None:
    """Leave a libvirt daemon that answers us at `path`, blank for libvirt's own address; ours to start only there.

    Raises LauncherError with the command that helps.
    """
    if path:
        if not _answers(Path(path)):
            raise LauncherError(f"No libvirt daemon answers at PANEL_LIBVIRT_SOCKET={path}: start it first.")
        return
    _mend_kvm_device()
    if _answers(SOCKET):
        return
    if os.geteuid() != 0:
        raise LauncherError("libvirt isn't running, and starting it needs root. Run this, then start again:\n\n"
                      f"    sudo {' '.join(_commands()[-1])}\n")  # fmt: skip
    with step("Starting libvirt"):
        for argv in _commands():
            # One that runs already says so by failing; whether it is enough, the socket tells.
            subprocess.run(argv, stdin=subprocess.DEVNULL, check=False)
        _wait()


def _commands() -> list[list[str]]:
    if SYSTEMD.is_dir():
        return [["systemctl", "start", "libvirtd.service"]]
    return [[daemon, "-d"] for daemon in ("virtlogd", "virtlockd", "libvirtd") if shutil.which(daemon)]


def _wait() -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(SOCKET):
        if time.monotonic() > deadline:
            raise LauncherError(
                f"libvirt didn't answer at {SOCKET} within {START_SECONDS} s. Look at what "
                "`libvirtd` says in the foreground, or start the panel with --no-hypervisor."
            )
        time.sleep(0.05)


def _answers(path: Path) -> bool:
    """Whether someone accepts connections at `path`. Raises LauncherError where we aren't allowed to ask."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except PermissionError as error:
            raise LauncherError(
                "You may not talk to libvirt. Run this, sign out and in again, then start again:\n\n"
                f"    sudo usermod -aG libvirt {getpass.getuser()}\n"
            ) from error
        except OSError:
            return False
    return True


def _mend_kvm_device() -> None:
    """Give /dev/kvm to group kvm where no udev does it.

    QEMU runs as libvirt-qemu. While that user can't open /dev/kvm though root can, libvirt throws its
    capability cache away at every call and each start of a machine takes a minute (measured: 60 s; 0.5 s after).
    """
    if UDEV.exists() or os.geteuid() != 0 or not KVM.exists():
        return
    try:
        group = grp.getgrnam("kvm").gr_gid
    except KeyError:
        return
    now = KVM.stat()
    if now.st_gid == group and stat.S_IMODE(now.st_mode) & 0o060 == 0o060:
        return
    os.chown(KVM, 0, group)
    KVM.chmod(0o660)
    say("* Gave /dev/kvm to group kvm, as Debian's udev would: guests can use it and start at once")
