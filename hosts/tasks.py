"""The queue's side: procedures that workers know, and checks that are done by the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from celery import current_app, shared_task
from django.db.models import F, Min, Q
from django.db.models.functions import Now

from hosts import credentials, procedures, tunnels
from hosts.checks import runner
from hosts.models import LOST_STATES, CheckState, Host, HostCheck
from operations.models import Operation

__all__ = ["check_quietly", "procedures", "recheck", "tidy"]

AGAIN_AFTER: Final = timedelta(seconds=55)
# A host that hangs keeps a worker's child for some 20 s.
AT_ONCE: Final = 4


@shared_task(name="hosts.recheck")
def recheck() -> None:
    """Send for the hosts on which a check failed or that were lost, those first not looked at for longest.

    A host that was lost may show another key now, which a person must see to confirm.
    """
    due = (
        Host.objects.present()
        .filter(
            Q(checks__state__in=(CheckState.FAILED, CheckState.WAITING)) | Q(state__in=LOST_STATES),
            checks__isnull=False,
        )
        .annotate(looked=Min("checks__checked_at"))
        .filter(Q(looked=None) | Q(looked__lt=Now() - AGAIN_AFTER))
        .order_by(F("looked").asc(nulls_first=True))
    )
    for pk in due.values_list("pk", flat=True)[:AT_ONCE]:
        current_app.send_task("hosts.check_quietly", args=[pk], expires=30, retry=False)


@shared_task(name="hosts.check_quietly", time_limit=120)
def check_quietly(pk: int) -> None:
    """Do all checks of one host again, without an operation; the page changes where an answer is another one."""
    host = Host.objects.present().filter(pk=pk).first()
    if host is None or Operation.objects.active().about("host", host.uuid).filter(kind="host.check").exists():
        return
    for _ in runner.run(host, list(HostCheck.objects.filter(host=host).select_related("host"))):
        pass


@shared_task(name="hosts.tidy")
def tidy() -> None:
    """Close the tunnels and throw away the files of credentials that no host needs any more."""
    tunnels.close_unwanted()
    credentials.wipe_unwanted()
