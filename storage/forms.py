"""What people fill in."""

from __future__ import annotations

from django import forms

from storage.labels import MAX_LABEL


class NewVolume(forms.Form):
    """A new, empty disk. The limits that depend on the pool are the action's."""

    label = forms.CharField(label="Name", max_length=MAX_LABEL)
    format = forms.ChoiceField(
        choices=[("qcow2", "qcow2: grows with use, can have snapshots"), ("raw", "raw: the plain bytes")],
        initial="qcow2",
    )
    capacity_gib = forms.IntegerField(label="Size", min_value=1, initial=20)
