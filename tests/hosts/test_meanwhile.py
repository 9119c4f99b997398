"""What becomes of a check when somebody changes the host while it runs, or when it doesn't get to its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hosts import keys, ssh
from hosts.checks import rows, runner, shown
from hosts.connections import act_as
from hosts.models import CheckState, Credentials, Host, HostCheck, Transport
from hypervisor.errors import Unreachable

pytestmark = pytest.mark.django_db

FIRST = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2J4vG7Bq3sWIXWv2jPpI0o1vJ1cGmQ5g1n4mH7b1aZ"
SECOND = FIRST.replace("7Bq3", "8Cr4")


@pytest.fixture
def host() -> Host:
    """Over SSH; of its checks only that of its key has to be done."""
    act_as("worker")
    host = Host.objects.create(
        name="h", transport=Transport.SSH, address="127.0.0.1", port=1, username="root"
    )
    Credentials.objects.create(host=host)
    rows.ask(host, [])
    HostCheck.objects.update(state=CheckState.PASSED)
    rows.ask(host, ["host_key"])
    return host


def scan_by(answer: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "scan_host_key", lambda address, *_, **__: keys.HostKey.parse(answer(address)))


def checked(host: Host) -> tuple[HostCheck, str]:
    """The row of the key's check when all that waits is done, and the key that waits to be confirmed."""
    list(runner.run(Host.objects.get(pk=host.pk), rows.waiting(host)))
    return HostCheck.objects.get(host=host, key="host_key"), Credentials.objects.get(
        host=host
    ).offered_host_key


class TestHostKey:
    def test_is_asked_for_anew_where_the_host_moved_meanwhile(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def move(address: str) -> str:
            Host.objects.filter(pk=host.pk).update(address="192.0.2.9")
            return FIRST if address == "127.0.0.1" else SECOND

        scan_by(move, monkeypatch)
        row, offered = checked(host)

        assert offered == SECOND
        assert keys.HostKey.parse(SECOND).fingerprint in row.detail
        assert keys.HostKey.parse(FIRST).fingerprint not in row.detail

    def test_is_not_asked_of_a_host_that_was_removed_meanwhile(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def remove(_: str) -> str:
            Credentials.objects.filter(host=host).update(host_key=FIRST)
            Host.objects.filter(pk=host.pk).update(gone_at=host.created_at)
            return FIRST

        scan_by(remove, monkeypatch)
        row, offered = checked(host)

        assert (row.detail, offered) == ("", "")

    def test_is_not_offered_any_more_once_the_host_does_not_show_it(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def silent(_: str) -> str:
            raise Unreachable("It is asleep.")

        Credentials.objects.update(offered_host_key=FIRST)
        scan_by(silent, monkeypatch)
        row, offered = checked(host)

        assert (row.state, row.detail, offered) == (CheckState.FAILED, "It is asleep.", "")


class TestOtherChecks:
    def test_stay_where_the_transport_changed_meanwhile(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def change(_: str) -> str:
            Host.objects.filter(pk=host.pk).update(transport=Transport.TLS, username="")
            rows.ask(Host.objects.get(pk=host.pk), ["name", "port", "certificate", "sign_in", "libvirt"])
            return FIRST

        scan_by(change, monkeypatch)
        list(runner.run(Host.objects.get(pk=host.pk), rows.waiting(host)))

        after = {row.key: row.state for row in HostCheck.objects.filter(host=host)}
        assert "host_key" not in after
        assert after["port"] == CheckState.FAILED  # nothing listens at 127.0.0.1:1
        assert after["certificate"] == after["libvirt"] == CheckState.SKIPPED


class TestSummary:
    def test_counts_as_good_only_what_was_found_good(self, host: Host) -> None:
        HostCheck.objects.update(state=CheckState.PASSED)
        HostCheck.objects.filter(key__in=("clock", "console")).update(state=CheckState.SKIPPED)

        summary = shown.summary(shown.checks(host))

        assert summary is not None
        assert summary.words == "8 of 10 checks are good, the others were not done"
