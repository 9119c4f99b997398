"""A host's credentials as the files that ssh and libvirt read, in a folder of its own: STATE_DIR/hosts/UUID/, 0700.

    ssh           the program libvirt runs instead of the system's ssh: with our configuration, and none of the user's
    ssh_config    no agent, no questions, one key, one host key
    key           the panel's private key for this host
    known_hosts   the host's key, as a person confirmed it; without one no connection is made
    cacert.pem, clientcert.pem, clientkey.pem       for TLS, by the names that libvirt's `pkipath` wants

The database is the truth and the folder a copy: it is written where it is used, and again after each change. `stamp`
says of which state of the database it is a copy; `lock` keeps two processes from mixing two states.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from core.sealed import Unsealable
from hosts.models import Credentials, Host
from hypervisor.errors import AccessDenied

CONNECT_S: Final = 8
# The name under which ssh knows every host: an address that changes doesn't make another host of it.
HOST_ALIAS: Final = "panel-host"

# A killed owner takes its ssh along, even one that waits for a silent host. The environment is not inherited: an
# agent's socket or an askpass program in it would be used.
_PROGRAM: Final = """#!/bin/sh
exec env -i PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C setpriv --pdeathsig KILL ssh -F {folder}/ssh_config "$@"
"""

_CONFIG: Final = """Host *
BatchMode yes
CanonicalizeHostname no
CheckHostIP no
ConnectionAttempts 1
ConnectTimeout {connect_s}
ControlMaster no
ControlPath none
EscapeChar none
ForwardAgent no
ForwardX11 no
GlobalKnownHostsFile none
GSSAPIAuthentication no
HostbasedAuthentication no
HostKeyAlias {alias}
IdentitiesOnly yes
IdentityAgent none
IdentityFile {folder}/key
LogLevel ERROR
PermitLocalCommand no
PKCS11Provider none
PreferredAuthentications publickey
ServerAliveCountMax 3
ServerAliveInterval 5
StreamLocalBindMask 0177
StreamLocalBindUnlink yes
StrictHostKeyChecking yes
UpdateHostKeys no
UserKnownHostsFile {folder}/known_hosts
VerifyHostKeyDNS no
"""


def folder_of(host: Host) -> Path:
    """Where `ensure` puts the files; asks neither the database nor the disk."""
    return Path(settings.STATE_DIR) / "hosts" / str(host.uuid)


def ensure(host: Host) -> Path:
    """The folder with the files as the database has them now. Raises AccessDenied where they can't be unsealed."""
    folder = folder_of(host)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    with _locked(folder):
        _copy(host, folder)
    return folder


def wipe(host: Host) -> None:
    """Forget the host's credentials: in the database with the caller's transaction, on the disk after it."""
    Credentials.objects.filter(host=host).delete()
    transaction.on_commit(lambda: shutil.rmtree(folder_of(host), ignore_errors=True))


def wipe_unwanted() -> None:
    """Throw away the folders of hosts that were removed; on other machines of the panel nobody else does it."""
    # Listed first: a host that is added meanwhile keeps its new folder.
    folders = list((Path(settings.STATE_DIR) / "hosts").glob("*"))
    wanted = {str(uuid) for uuid in Host.objects.present().values_list("uuid", flat=True)}
    for folder in folders:
        if folder.name not in wanted:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(host: Host, folder: Path) -> None:
    try:
        known = Credentials.objects.filter(host=host).first() or Credentials(host=host)
    except Unsealable as error:
        raise AccessDenied(
            f"{error} Put that one back and restart the panel, or replace this host's key."
        ) from error
    stamp = folder / "stamp"
    wanted = f"1 {known.changed_at}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    for name, text in _files(folder, known).items():
        if text:
            _put(folder / name, text, mode=0o700 if name == "ssh" else 0o600)
        else:
            (folder / name).unlink(missing_ok=True)
    _put(stamp, wanted, mode=0o600)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with os.fdopen(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _files(folder: Path, known: Credentials) -> dict[str, str]:
    config = _CONFIG.format(folder=folder, alias=HOST_ALIAS, connect_s=CONNECT_S)
    return {
        "ssh": _PROGRAM.format(folder=folder),
        "ssh_config": config,
        "key": known.ssh_private_key,
        "known_hosts": f"{HOST_ALIAS} {known.host_key}\n" if known.host_key else "",
        "cacert.pem": known.ca_certificate,
        "clientcert.pem": known.client_certificate,
        "clientkey.pem": known.client_key,
    }


def _put(path: Path, text: str, *, mode: int) -> None:
    """Write in one step: no reader ever sees half of it or another mode."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
