"""Tells a panel of the hosts of `benchmarks.hosts`. Run by it, with the environment of that panel:

    python -m benchmarks.hosts_register < HOSTS

Standard input and the last line of the output are JSON. In: a list of hosts, each with the columns of a host and the
`host_key` of those behind SSH. Out: by name the host's UUID, and the public key of the panel that it must accept.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from hosts.keys import generate_key_pair  # noqa: E402
from hosts.models import Credentials, Host, Transport  # noqa: E402


def main() -> None:
    """Make the rows; the watcher finds them."""
    known = {row["name"]: register(**row) for row in json.load(sys.stdin)}
    sys.stdout.write(json.dumps(known) + "\n")


def register(*, transport: str, host_key: str = "", **columns: Any) -> dict[str, str]:
    """One host."""
    insecure_since = timezone.now() if transport == Transport.TCP else None
    host = Host.objects.create(transport=transport, insecure_since=insecure_since, **columns)
    if not host_key:
        return {"uuid": str(host.uuid)}
    pair = generate_key_pair("bench")
    Credentials.objects.create(
        host=host, ssh_private_key=pair.private, ssh_public_key=pair.public, host_key=host_key
    )
    return {"uuid": str(host.uuid), "public_key": pair.public}


if __name__ == "__main__":
    main()
