"""Hosts of the lab as rows of the panel, reached by each transport, with the credentials each needs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from cryptography.fernet import Fernet
from django.db import connection
from django.utils import timezone

from hosts.inventory import record_changed_access
from hosts.models import Credentials, Host, HostState
from hypervisor.uri import Transport
from tests.lab.certificates import Authority
from tests.lab.remote import RemoteHost


def over_ssh(remote: RemoteHost, **columns: Any) -> Host:
    """Signed in with the lab's key, the host's key confirmed."""
    host = _host(Transport.SSH, **{"address": remote.ip, "username": "root", **columns})
    Credentials.objects.create(
        host=host, ssh_private_key=remote.lab.ssh_key.read_text(), host_key=remote.host_key
    )
    return host


def over_tls(remote: RemoteHost, *, authority: Authority | None = None, **columns: Any) -> Host:
    """With a certificate of the lab's authority; `authority` is who, to the panel, may sign the host's."""
    host = _host(Transport.TLS, **{"address": remote.ip, **columns})
    ours = remote.lab.authority.client()
    Credentials.objects.create(
        host=host,
        ca_certificate=(authority or remote.lab.authority).certificate,
        client_certificate=ours.certificate,
        client_key=ours.key,
    )
    return host


def over_tcp(remote: RemoteHost, **columns: Any) -> Host:
    """Without any proof, and somebody said yes to that."""
    return _host(Transport.TCP, **{"address": remote.ip, "insecure_since": timezone.now(), **columns})


def _host(transport: Transport, **columns: Any) -> Host:
    return Host.objects.create(
        name=f"kvm-{uuid4().hex[:8]}", transport=transport, state=HostState.UP, **columns
    )


def spoil(host: Host) -> None:
    """As if the file of sealing keys were not the one that this host's secrets were sealed with."""
    sealed = Fernet(Fernet.generate_key()).encrypt(b"a secret").decode()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE hosts_credentials SET ssh_private_key = %s WHERE host_id = %s", [sealed, host.pk]
        )
    record_changed_access(host)
