"""The form for a machine that is made from another."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import Team, User
from accounts.permissions import Verb
from domains.actions.clone import problems
from domains.actions.create import MIN_MEMORY_MIB
from domains.models import Domain
from domains.names import NAME_RULE
from domains.wishes import Clone
from networks.models import Network
from storage.models import Pool


class CloneForm(forms.Form):
    """Sizes are those of the original until others are typed; only a template's disks can be based on."""

    name = forms.CharField(max_length=300, help_text=NAME_RULE)
    linked = forms.BooleanField(
        required=False,
        initial=True,
        label="Lay its disks on the template's",
        help_text="It is ready at once and takes space only for what differs; the template can't go as long as it is"
        " there. Without this, all of the disks is copied.",
    )
    vcpus = forms.IntegerField(label="vCPUs", min_value=1)
    memory_mib = forms.IntegerField(label="Memory", min_value=MIN_MEMORY_MIB, step_size=1)
    network = forms.ModelChoiceField(
        Network.objects.none(), to_field_name="uuid", required=False, empty_label="As it is in the original"
    )
    pool = forms.ModelChoiceField(
        Pool.objects.none(),
        to_field_name="uuid",
        required=False,
        empty_label="Where the original's disks lie",
        label="Storage pool",
    )
    team = forms.ModelChoiceField(Team.objects.none(), required=False, empty_label="No team")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=1000)
    start = forms.BooleanField(required=False, label="Start it when it is ready")
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, source: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.source = source
        self.initial.setdefault("vcpus", source.vcpus)
        self.initial.setdefault("memory_mib", source.memory_mib)
        self.initial.setdefault("team", source.team_id)
        networks = Network.objects.permitted(user, Verb.NETWORK_VIEW).present()
        self._offer("network", networks.filter(host=source.host, active=True).order_by("name"))
        pools = Pool.objects.permitted(user, Verb.STORAGE_VIEW).present()
        self._offer("pool", pools.filter(host=source.host, state="running").order_by("name"))
        self._offer("team", Team.objects.order_by("name"))
        if not source.template:
            del self.fields["linked"]

    def _offer(self, field: str, rows: Any) -> None:
        self.fields[field].queryset = rows  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Ask the action's own rules, once every field by itself is sound."""
        cleaned = super().clean() or {}
        if not self.errors:
            for problem in problems(self.to_clone()):
                field = problem.field if problem.field in self.fields else "name"
                self.add_error(field, f"{problem.message} {problem.fix}".strip())
        return cleaned

    def to_clone(self) -> Clone:
        """What was asked for."""
        names = ("name", "vcpus", "memory_mib", "pool", "network", "description", "team", "start")
        plain = {name: self.cleaned_data[name] for name in names}
        return Clone(**plain, source=self.source, linked=self.cleaned_data.get("linked", False))
