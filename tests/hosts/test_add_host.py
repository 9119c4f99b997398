"""`manage.py add_host`: what scripts and the lab add hosts with."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audit.models import Entry
from hosts.models import Credentials, Host, Transport
from tests.conftest import Cast

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDItkoFzxMO67mcb9Iy/525oLtXQvsD8nw6rwGUS0baG"


def add_host(address: str, *options: str, key: str = KEY) -> str:
    """What it printed."""
    said = StringIO()
    call_command("add_host", f"--host-key={key}", *options, "--", address, stdout=said)
    return said.getvalue().strip()


class TestAddHost:
    def test_trusts_the_key_and_prints_the_panels(self, cast: Cast) -> None:
        said = add_host("192.0.2.7", "--name", "kvm7", "--username", "root", "--label", "ssd")

        host = Host.objects.get(name="kvm7")
        known = Credentials.objects.get(host=host)
        assert (host.transport, host.address, host.username) == (Transport.SSH, "192.0.2.7", "root")
        assert host.labels == ["ssd"]
        assert known.host_key == KEY
        assert said == known.ssh_public_key
        assert Entry.objects.filter(actor=cast.superuser, verb="host.trust").exists()

    def test_says_where_a_known_host_is_now(self, cast: Cast) -> None:
        before = add_host("192.0.2.7", "--name", "kvm7")
        after = add_host("192.0.2.8", "--name", "kvm7")

        assert Host.objects.get().address == "192.0.2.8"
        assert after == before

    @pytest.mark.parametrize(
        ("address", "key", "options", "told"),
        [
            ("-oProxyCommand=x", KEY, [], "neither a host name"),
            ("192.0.2.7", "ssh-ed25519", [], "TYPE BASE64"),
            ("192.0.2.7", KEY, ["--as", "nobody"], "no active user 'nobody'"),
            ("192.0.2.7", KEY, ["--as", "stranger"], "permission|allowed|may not"),
        ],
    )
    def test_adds_nothing_that_is_wrong(
        self, cast: Cast, address: str, key: str, options: list[str], told: str
    ) -> None:
        with pytest.raises(CommandError, match=told):
            add_host(address, *options, key=key)

        assert not Host.objects.exists()
