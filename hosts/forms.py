"""What people type about hosts, turned into `HostDetails`."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import allowed
from hosts.actions.details import LABEL_RULE, LEAST_OVERCOMMIT, MOST_OVERCOMMIT, USERNAME, HostDetails
from hosts.models import Host, Transport

_WORDS: Final = {
    Transport.SSH: "SSH – with a key of the panel's own for this host",
    Transport.TLS: "TLS – with certificates of your own authority",
    Transport.TCP: "TCP – without encryption and without sign-in",
}


class PemInput(forms.Textarea):
    """What was typed is never sent back: it may be a private key."""

    def __init__(self) -> None:
        super().__init__(attrs={"rows": 5, "spellcheck": "false", "autocomplete": "off", "class": "mono"})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Of an empty field."""
        return super().get_context(name, None, attrs)


class HostForm(forms.Form):
    """Where a host is, how it is reached and what it is called; with `host`, what may be changed of it."""

    address = forms.CharField(
        label="Address", max_length=260, help_text="A name or an IP address, such as kvm2.example.org."
    )
    transport = forms.ChoiceField(
        label="Reached by",
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
        initial=Transport.SSH,
    )
    username = forms.CharField(
        label="User",
        required=False,
        max_length=60,
        help_text=f"Over SSH, by default {USERNAME}. With TLS or TCP: for consoles, which go through SSH.",
    )
    port = forms.IntegerField(
        label="Port", required=False, help_text="By default 22 for SSH, 16514 for TLS, 16509 for TCP."
    )
    insecure = forms.BooleanField(
        label="I know: over TCP nothing is encrypted, and whoever reaches the port owns the host",
        required=False,
    )
    name = forms.CharField(required=False, max_length=200, help_text="By default its address.")
    labels = forms.CharField(
        required=False,
        max_length=1000,
        help_text=f"Separated by commas. {LABEL_RULE} Machines can ask for them.",
    )

    def __init__(self, *args: Any, user: User, host: Host | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._host = host
        offered = [Transport.SSH, Transport.TLS]
        if allowed(user, Verb.HOST_INSECURE) or (host is not None and host.transport == Transport.TCP):
            offered.append(Transport.TCP)
        else:
            del self.fields["insecure"]
        choices = [(one.value, _WORDS[one]) for one in offered]
        if host is None and not Host.objects.present().filter(transport=Transport.LOCAL).exists():
            choices.append((Transport.LOCAL.value, "The machine on which the panel runs"))
        self.fields["transport"].choices = choices  # type: ignore[attr-defined]
        if host is not None and not host.remote:
            for field in ("address", "transport", "username", "port", "insecure"):
                self.fields.pop(field, None)
        elif self.data.get("transport") == Transport.LOCAL:
            self.fields["address"].required = False

    def details(self) -> HostDetails:
        """What was typed; valid by the form's own rules, the action has more."""
        given = dict(self.cleaned_data)
        given["labels"] = given.get("labels", "").split(",")
        given["transport"] = Transport(given.get("transport", Transport.LOCAL))
        return HostDetails(**given)


class EditHostForm(HostForm):
    """The same, and what can be said of a host later."""

    description = forms.CharField(
        required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3}), help_text="For people."
    )
    migration_address = forms.CharField(
        label="Address for migration",
        required=False,
        max_length=260,
        help_text="Where other hosts send machines that move here; by default its address.",
    )
    cpu_overcommit = forms.FloatField(
        label="vCPUs for each CPU",
        min_value=LEAST_OVERCOMMIT,
        max_value=MOST_OVERCOMMIT,
        help_text="More are not placed here by the panel itself.",
    )
    memory_overcommit = forms.FloatField(
        label="Memory given out for each GiB there is",
        min_value=LEAST_OVERCOMMIT,
        max_value=MOST_OVERCOMMIT,
        help_text="1: as much as there is.",
    )


class CertificatesForm(forms.Form):
    """Certificates for TLS as PEM. They are never shown again."""

    ca = forms.CharField(
        label="Authority's certificate",
        widget=PemInput,
        help_text="cacert.pem: it signed the host's certificate.",
    )
    certificate = forms.CharField(
        label="Panel's certificate",
        widget=PemInput,
        help_text="clientcert.pem: the host's libvirtd must accept it.",
    )
    key = forms.CharField(
        label="Panel's private key",
        widget=PemInput,
        help_text="clientkey.pem, without a passphrase. Kept encrypted.",
    )


def initial_of(host: Host) -> dict[str, Any]:
    """What the form for a change begins with."""
    names = (
        "address", "transport", "username", "port", "name", "description", "migration_address",
        "cpu_overcommit", "memory_overcommit",
    )  # fmt: skip
    return {name: getattr(host, name) for name in names} | {"labels": ", ".join(host.labels)}
