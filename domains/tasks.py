"""What workers do for this room outside of operations."""

from __future__ import annotations

from io import BytesIO
from typing import Final
from uuid import UUID

import structlog
from celery import shared_task
from PIL import Image

from core.events import publish
from domains import asked, running, screens
from domains.models import Domain
from domains.moving import Move
from domains.preflight import blocker
from domains.procedures import asking, crossing
from hosts.connections import borrow
from hosts.models import Host
from hypervisor.errors import HypervisorError
from hypervisor.xml.secrets import Secrets

log = structlog.get_logger(__name__)

WIDTH_PX: Final = 640
HEIGHT_PX: Final = 640
# A host that hangs while it is connected to keeps the task waiting without limit.
LIMIT_S: Final = 20


@shared_task(name="domains.screenshot", acks_late=False, time_limit=LIMIT_S)
def screenshot(domain_uuid: str) -> None:
    """Take a picture of a machine's screen and keep it for who looks; no picture where the machine is off by now."""
    domain = Domain.objects.present().select_related("host").filter(uuid=UUID(domain_uuid)).first()
    if domain is None or not screens.shows(domain):
        return
    try:
        with borrow(domain.host) as hypervisor:
            taken = hypervisor.screenshot(domain.uuid)
    except HypervisorError as error:
        log.info("no picture", domain=domain_uuid, error=error.message)
        return
    screens.keep(domain, _small(taken.png))


@shared_task(name=asked.TASK, acks_late=False, time_limit=LIMIT_S)
def preflight(question: str, domain_uuid: str, target_uuid: str) -> None:
    """Ask both hosts about a move, and tell the one who thinks about it."""
    domain = Domain.objects.present().select_related("host").filter(uuid=UUID(domain_uuid)).first()
    target = Host.objects.present().filter(uuid=UUID(target_uuid)).first()
    if domain is None or target is None:
        return
    move = Move(
        domain=domain.uuid,
        name=domain.name,
        source=domain.host.uuid,
        target=target.uuid,
        live=domain.on,
    )
    try:
        with crossing.both(move) as (here, there):
            findings = list(asking.ask(here, there, domain, target, move))
    except HypervisorError as error:
        findings = [blocker(f"The hosts could not be asked: {error.message}")]
    asked.answer(UUID(question), findings)
    publish("preflight", question)


@shared_task(name=running.TASK, acks_late=False, time_limit=LIMIT_S)
def read_running(domain_uuid: str) -> None:
    """Read the document of a machine's run for who looks; its secrets stay here."""
    domain = Domain.objects.present().select_related("host").filter(uuid=UUID(domain_uuid)).first()
    if domain is None:
        return
    try:
        with borrow(domain.host) as hypervisor:
            xml = hypervisor.read_document(domain.uuid).live_xml
    except HypervisorError as error:
        running.keep(domain, "", refused=error.message)
    else:
        running.keep(domain, Secrets().hide(xml) if xml else "", refused="" if xml else "It is off by now.")


def _small(png: bytes) -> bytes:
    """The picture in a size for a page, a tenth of its bytes."""
    small = BytesIO()
    with Image.open(BytesIO(png), formats=("PNG",)) as image:
        image.thumbnail((WIDTH_PX, HEIGHT_PX))
        image.save(small, format="WEBP", quality=80)
    return small.getvalue()
