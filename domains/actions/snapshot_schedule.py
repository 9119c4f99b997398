"""Snapshots by the clock: the rule of a machine, what is due, and what has been kept for long enough."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import timezone

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import InvalidInput, PanelError, TargetBusy
from core.events import publish
from domains.actions import snapshots
from domains.models import Domain, Snapshot, SnapshotSchedule
from domains.snapshots.schedule import HOURS, MOST_KEPT, next_after

log = structlog.get_logger(__name__)

_DAY_MINUTES: Final = 24 * 60
_AT_ONCE: Final = 200


@transaction.atomic
def set_schedule(
    *, domain: Domain, every_hours: int, minute: int, keep: int, memory: bool, actor: User
) -> SnapshotSchedule:
    """From now on take snapshots in the name of `actor`; the numbers are those of the model.

    Raises Forbidden, InvalidInput.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    if every_hours and every_hours not in HOURS:
        raise InvalidInput(f"Give {', '.join(map(str, HOURS))}, or 0 for daily.", field="every_hours")
    if not 0 <= minute < _DAY_MINUTES:
        raise InvalidInput("Give a time of the day.", field="minute")
    if not 1 <= keep <= MOST_KEPT:
        raise InvalidInput(f"Give 1 to {MOST_KEPT}.", field="keep")
    rule = {"every_hours": every_hours, "minute": minute, "keep": keep, "memory": memory}
    audit.record(
        actor,
        "domain.snapshot.schedule",
        target=domain,
        every_hours=every_hours,
        minute=minute,
        keep=keep,
        memory=memory,
    )
    schedule, _ = SnapshotSchedule.objects.update_or_create(
        domain=domain,
        defaults=rule
        | {
            "actor": actor,
            "next_at": next_after(timezone.now(), every_hours=every_hours, minute=minute),
            "told": "",
        },
    )
    publish("domain", domain.uuid)
    return schedule


@transaction.atomic
def clear_schedule(*, domain: Domain, actor: User) -> None:
    """Take no more by the clock; those that were taken stay. Raises Forbidden."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    if SnapshotSchedule.objects.filter(domain=domain).delete()[0]:
        audit.record(actor, "domain.snapshot.unschedule", target=domain)
        publish("domain", domain.uuid)


def take_due() -> None:
    """Ask for the snapshots that are due, and for the oldest to go where more were taken than are to be kept.

    Where one can't be taken, why not is told beside the rule, and the next is taken when it is due.
    """
    now = timezone.now()
    schedules = SnapshotSchedule.objects.filter(domain__gone_at=None, domain__host__gone_at=None)
    schedules = schedules.select_related("domain__host", "domain__team", "actor")
    for schedule in schedules.filter(next_at__lte=now).order_by("next_at")[:_AT_ONCE]:
        following = next_after(now, every_hours=schedule.every_hours, minute=schedule.minute)
        claimed = SnapshotSchedule.objects.filter(pk=schedule.pk, next_at=schedule.next_at)
        if claimed.update(next_at=following, last_at=now):
            _tell(schedule, _take(schedule, now))
    taken = Q(domain__snapshots__scheduled=True, domain__snapshots__gone_at=None)
    for schedule in schedules.annotate(taken=Count("domain__snapshots", filter=taken)).filter(
        taken__gt=F("keep")
    ):
        _prune(schedule)


def _take(schedule: SnapshotSchedule, now: datetime) -> str:
    """Returns why it was not asked for, "" where it was."""
    domain = schedule.domain
    if schedule.actor is None:
        return "The person in whose name they were taken is gone. Set the rule again."
    if not domain.host.up:
        return f"{domain.host.name} did not answer."
    try:
        snapshots.take(
            domain=domain,
            label=f"Scheduled {now:%Y-%m-%d %H:%M} UTC",
            memory=schedule.memory,
            actor=schedule.actor,
            scheduled=True,
        )
    except PanelError as error:
        return f"{error.message} {error.fix}".strip()
    return ""


def _tell(schedule: SnapshotSchedule, why: str) -> None:
    words = f"Skipped: {why}"[:255] if why else ""
    SnapshotSchedule.objects.filter(pk=schedule.pk).update(told=words)
    publish("domain", schedule.domain.uuid)
    if why:
        log.info("no scheduled snapshot", domain=str(schedule.domain.uuid), why=why)


def _prune(schedule: SnapshotSchedule) -> None:
    """One at a time: the next goes when the operation on the machine has ended."""
    taken = Snapshot.objects.present().filter(domain=schedule.domain, scheduled=True)
    oldest = taken.select_related("domain__host", "domain__team").order_by("taken_at", "pk").first()
    if oldest is None or schedule.actor is None or not schedule.domain.host.up:
        return
    try:
        snapshots.delete(snapshot=oldest, children=False, actor=schedule.actor)
    except TargetBusy:
        return
    except PanelError as error:
        words = f"“{oldest}” could not be deleted: {error.message}"[:255]
        if words != schedule.told:
            SnapshotSchedule.objects.filter(pk=schedule.pk).update(told=words)
            publish("domain", schedule.domain.uuid)
