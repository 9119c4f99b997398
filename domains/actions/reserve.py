"""The row of a machine that an operation will make, so that nobody else takes its name meanwhile."""

from __future__ import annotations

import uuid

from django.db import IntegrityError, transaction

from accounts.models import Team, User
from core.errors import Conflict
from domains.models import Domain, DomainState
from hosts.models import Host


def reserve(
    *,
    host: Host,
    name: str,
    description: str,
    team: Team | None,
    vcpus: int,
    memory_mib: int,
    firmware: str,
    owner: User,
) -> Domain:
    """It, with its UUID chosen. Raises Conflict where the name is being taken just now."""
    try:
        with transaction.atomic():
            return Domain.objects.create(
                uuid=uuid.uuid4(),
                host=host,
                name=name,
                description=description,
                owner=owner,
                team=team,
                state=DomainState.CREATING,
                vcpus=vcpus,
                vcpus_max=vcpus,
                memory_mib=memory_mib,
                memory_max_mib=memory_mib,
                firmware=firmware,
                accelerated=host.kvm,
            )
    except IntegrityError:
        raise Conflict(
            f"Somebody is creating {name} on {host.name} just now.", fix="Choose another name."
        ) from None
