"""Debian packages: what is missing, said before it is installed; without root, the command to run instead."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from launcher import commands
from launcher.say import LauncherError, say, step

BUILD = ("python3-venv", "python3-dev", "gcc", "pkg-config", "libvirt-dev")
PARTS = ("nginx-light", "openssl", "openssh-client")
REDIS = ("redis-server",)
# The last line are packages that libvirt only recommends and that network `default` and TPMs can't do without.
HYPERVISOR = (
    *("libvirt-daemon-system", "qemu-system-x86", "qemu-utils", "ovmf", "swtpm"),
    *("dnsmasq-base", "iproute2", "dmidecode", "swtpm-tools"),
)
LAB = ("libvirt-clients", "openssh-client", "openssh-server", "iproute2", "iptables", "util-linux")
TESTS = (
    *("chromium", "postgresql", "virtinst", "busybox-static", "cpio", "lz4"),
    *("grub-pc-bin", "grub-common", "xorriso", "mtools"),
)

# A machine may have the program from elsewhere (nginx-full, upstream's own package): that will do.
PROGRAMS = {"nginx-light": "/usr/sbin/nginx", "redis-server": "/usr/bin/redis-server"}
# What Debian starts on installation, on ports that nobody asked for: the panel and its tests run private ones.
UNWANTED_SERVICES = {
    "nginx-light": "nginx",
    "redis-server": "redis-server",
    "postgresql": "postgresql",
    "openssh-server": "ssh",
}


def ensure(wanted: Sequence[str]) -> None:
    """Install those of `wanted` that are missing. Raises LauncherError with the command to run where we aren't root."""
    absent = missing(wanted)
    if not absent:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", *absent]
    if os.geteuid() != 0:
        raise LauncherError(
            "These Debian packages are missing, and installing them needs root. Run this, then start again:\n\n"
            f"    sudo apt-get update && sudo {' '.join(install)}\n"
        )
    say(f"Debian packages to install: {', '.join(absent)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step("Installing Debian packages"):
        commands.show(["apt-get", "update", "-q"], env=quiet, what="Reading the package lists")
        commands.show([*install, "-q"], env=quiet, what="Installing packages")
    for package in absent:
        if package in UNWANTED_SERVICES:
            _stop_service(UNWANTED_SERVICES[package])


def missing(wanted: Sequence[str]) -> list[str]:
    """Those of `wanted` that dpkg doesn't know as installed, in the given order."""
    if not shutil.which("dpkg-query") or not shutil.which("apt-get"):
        raise LauncherError("The panel installs what it needs with apt: it runs on Debian 12 and newer.")
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,  # fails as soon as one of them is unknown; what it printed is right all the same
    )
    installed = {name for state, name in map(str.split, query.stdout.splitlines()) if state == "installed"}
    return [
        package
        for package in dict.fromkeys(wanted)
        if package not in installed and not (package in PROGRAMS and Path(PROGRAMS[package]).exists())
    ]


def _stop_service(service: str) -> None:
    """Stop and disable a service that came with a package we have just installed; the panel runs its own."""
    if Path("/run/systemd/system").is_dir():
        argv = ["systemctl", "disable", "--now", service]
    else:
        argv = ["service", service, "stop"]
    if subprocess.run(argv, capture_output=True, check=False).returncode == 0:
        say(f"  stopped Debian's own {service} service: the panel runs a private one")
