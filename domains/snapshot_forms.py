"""The forms of the tab "Snapshots"."""

from __future__ import annotations

from typing import Any

from django import forms

from domains.models import SnapshotSchedule
from domains.snapshots.schedule import HOURS, MOST_KEPT

_DAILY = "0"


class SnapshotForm(forms.Form):
    """What people call a snapshot."""

    label = forms.CharField(label="Name", max_length=1000, help_text="For people: any words, in one line.")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))


class TakeForm(SnapshotForm):
    """One to take now; the memory is asked about where the machine is on."""

    memory = forms.BooleanField(required=False, initial=True, label="With its memory")
    quiesce = forms.BooleanField(
        required=False,
        label="Let its guest agent write everything to disk first",
        help_text="Without its memory only. If no agent answers, no snapshot is taken.",
    )

    def __init__(self, *args: Any, on: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not on:
            del self.fields["memory"], self.fields["quiesce"]


class ScheduleForm(forms.Form):
    """When snapshots are taken by themselves."""

    every_hours = forms.TypedChoiceField(
        coerce=int,
        label="How often",
        choices=[
            (_DAILY, "Once a day"),
            *((str(n), f"Every {n} hours" if n > 1 else "Every hour") for n in HOURS),
        ],
    )
    at = forms.TimeField(
        label="At", initial="03:00", help_text="UTC. For those every few hours only the minutes count.",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )  # fmt: skip
    keep = forms.IntegerField(
        label="Keep the last", initial=7, min_value=1, max_value=MOST_KEPT,
        help_text="Older ones are deleted; those that people took stay.",
    )  # fmt: skip
    with_memory = forms.BooleanField(required=False, label="With its memory, where it is on")


def typed_schedule(schedule: SnapshotSchedule | None) -> dict[str, Any]:
    """What the form shows of a rule there is."""
    if schedule is None:
        return {}
    return {
        "every_hours": str(schedule.every_hours),
        "at": f"{schedule.minute // 60:02}:{schedule.minute % 60:02}",
        "keep": schedule.keep,
        "with_memory": schedule.memory,
    }
