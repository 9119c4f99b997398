"""The checks of a host against real hosts: what each finds, what it says to do, and that doing so helps."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from celery import current_app
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from audit.models import Entry
from core.errors import Conflict
from hosts import inventory, preparing, tasks
from hosts.actions import check, manage, trust
from hosts.actions.details import HostDetails
from hosts.checks.shown import fingerprint
from hosts.connections import act_as
from hosts.models import CheckState, Credentials, Host, HostCheck, HostState, Transport
from operations.models import Operation, OperationState
from tests.conftest import Cast
from tests.lab.certificates import Authority
from tests.lab.host import LabHost
from tests.lab.remote import RemoteHost
from tests.stage import carry_out

# What `sudo` does, where we are root already.
_SUDO = 'sudo() { if [ "$1" = -u ]; then u=$2; shift 2; runuser -u $u -- "$@"; else "$@"; fi; }; '


@pytest.fixture(autouse=True)
def worker() -> None:
    act_as("worker")


@pytest.fixture
def site(remote_host: RemoteHost) -> Iterator[RemoteHost]:
    """A host that lets nobody in, as it is when it is bought."""
    remote_host.deauthorize()
    yield remote_host
    remote_host.deauthorize()


def add(actor: User, site: RemoteHost, **details: object) -> Host:
    given: dict[str, object] = {"transport": Transport.SSH, "address": site.ip, **details}
    return manage.add(actor=actor, details=HostDetails(**given))  # type: ignore[arg-type]


def do_checks(host: Host) -> dict[str, HostCheck]:
    """What a worker does with what waits; the checks as they are then."""
    operation = Operation.objects.active().about("host", host.uuid).get()
    assert carry_out(operation.pk).state == OperationState.SUCCEEDED
    return {row.key: row for row in HostCheck.objects.filter(host=host)}


def again(host: Host, actor: User, key: str = "") -> dict[str, HostCheck]:
    check.again(host=host, actor=actor, key=key)
    return do_checks(host)


def confirm(host: Host, actor: User) -> None:
    offered = Credentials.objects.get(host=host).offered_host_key
    trust.confirm_host_key(host=host, actor=actor, fingerprint=fingerprint(offered))


def prepare(host: Host, site: RemoteHost) -> None:
    """Type the last commands of "Prepare this host" on it: those that make the user and let the key in."""
    public_key = Credentials.objects.get(host=host).ssh_public_key
    family = preparing.families(host, public_key)[0]
    for command in family.commands[2:]:
        site.exec("sh", "-c", _SUDO + command.line)


def states(rows: dict[str, HostCheck]) -> dict[str, str]:
    return {key: row.state for key, row in rows.items()}


def certify(host: Host, actor: User, site: RemoteHost) -> None:
    pki = site.lab.pki
    trust.set_certificates(
        host=host,
        actor=actor,
        ca=site.lab.authority.certificate,
        certificate=(pki / "clientcert.pem").read_text(),
        key=(pki / "clientkey.pem").read_text(),
    )


@pytest.fixture
def reached(cast: Cast, site: RemoteHost) -> Host:
    """A host over SSH on which everything is as it should be."""
    host = add(cast.operator, site, username="root")
    site.authorize(Credentials.objects.get(host=host).ssh_public_key)
    Credentials.objects.filter(host=host).update(host_key=site.host_key)
    do_checks(host)
    return host


class TestOverSsh:
    def test_from_a_bare_machine_to_a_host_step_by_step(self, cast: Cast, site: RemoteHost) -> None:
        host = add(cast.operator, site)

        rows = do_checks(host)
        assert rows["port"].state == CheckState.PASSED
        assert rows["host_key"].state == CheckState.FAILED
        assert {row.state for key, row in rows.items() if key not in ("name", "port", "host_key")} == {
            "skipped"
        }

        confirm(host, cast.operator)
        assert Credentials.objects.get(host=host).host_key == site.host_key
        rows = do_checks(host)
        assert rows["host_key"].state == CheckState.PASSED
        assert rows["sign_in"].state == CheckState.FAILED
        assert "Prepare this host" in rows["sign_in"].fix

        prepare(host, site)
        rows = again(host, cast.operator, "sign_in")
        assert rows["sign_in"].detail == "The panel signs in as kvmpanel."
        assert rows["kvm"].state == CheckState.WARNING  # the lab's CPU has neither vmx nor svm
        good = {key for key, row in rows.items() if row.state == CheckState.PASSED}
        assert good == {*rows} - {"kvm"}

    def test_another_key_is_shown_beside_the_confirmed_one(
        self, cast: Cast, reached: Host, site: RemoteHost
    ) -> None:
        before = Credentials.objects.get(host=reached).host_key
        site.change_host_key()

        rows = again(reached, cast.operator, "host_key")

        assert rows["host_key"].state == CheckState.FAILED
        assert len(re.findall("SHA256:", rows["host_key"].detail)) == 2
        assert "do not confirm" in rows["host_key"].fix
        assert states(rows)["libvirt"] == CheckState.SKIPPED
        assert Credentials.objects.get(host=reached).host_key == before
        confirm(reached, cast.operator)
        assert do_checks(reached)["libvirt"].state == CheckState.PASSED
        trusted = Entry.objects.filter(verb="host.trust").order_by("pk")
        assert [entry.details["before"] for entry in trusted] == [fingerprint(before)]

    def test_a_key_that_was_seen_earlier_is_not_confirmed(
        self, cast: Cast, reached: Host, site: RemoteHost
    ) -> None:
        seen = fingerprint(Credentials.objects.get(host=reached).host_key)
        site.change_host_key()
        again(reached, cast.operator, "host_key")

        with pytest.raises(Conflict):
            trust.confirm_host_key(host=reached, actor=cast.operator, fingerprint=seen)

    def test_a_wrong_clock(self, cast: Cast, reached: Host, site: RemoteHost) -> None:
        site.set_clock(-100)
        try:
            row = again(reached, cast.operator, "clock")["clock"]
        finally:
            site.set_clock(0)

        assert row.state == CheckState.FAILED
        assert re.match(r"It is (99|100|101) s behind the panel", row.detail)
        assert "timedatectl set-ntp" in row.fix

    def test_forwarding_that_is_forbidden(self, cast: Cast, reached: Host, site: RemoteHost) -> None:
        public_key = Credentials.objects.get(host=reached).ssh_public_key
        site.deauthorize()
        site.authorize(f"restrict {public_key}")

        rows = again(reached, cast.operator)

        assert rows["console"].state == CheckState.FAILED
        assert "AllowTcpForwarding" in rows["console"].fix
        assert rows["libvirt"].state == CheckState.PASSED

    def test_a_pool_and_a_network_that_are_off(self, cast: Cast, reached: Host, site: RemoteHost) -> None:
        site.virsh("pool-destroy", "default")
        site.virsh("net-destroy", "default")
        try:
            rows = again(reached, cast.operator, "libvirt")
        finally:
            site.virsh("pool-start", "default")
            site.virsh("net-start", "default")

        assert (rows["pool"].state, rows["network"].state) == (CheckState.FAILED, CheckState.WARNING)
        assert "virsh pool-start" in rows["pool"].fix

    def test_a_daemon_that_is_dead(self, cast: Cast, reached: Host, site: RemoteHost) -> None:
        site.kill()

        rows = again(reached, cast.operator, "libvirt")

        assert rows["libvirt"].state == CheckState.FAILED
        assert "libvirt does not run" in rows["libvirt"].detail
        assert states(rows)["pool"] == CheckState.SKIPPED
        assert states(rows)["clock"] == CheckState.PASSED

    @pytest.mark.django_db(transaction=True)  # long enough for the lease to be renewed by another thread
    def test_a_daemon_that_is_frozen_keeps_nobody_for_long(
        self, cast: Cast, reached: Host, site: RemoteHost
    ) -> None:
        site.freeze()
        began = time.monotonic()

        rows = again(reached, cast.operator, "libvirt")

        assert rows["libvirt"].state == CheckState.FAILED
        assert time.monotonic() - began < 40

    def test_the_same_machine_twice(self, cast: Cast, reached: Host, site: RemoteHost) -> None:
        facts = site.virsh("capabilities")
        uuid = re.search("<uuid>(.*?)</uuid>", facts)
        assert uuid is not None
        Host.objects.create(name="the same", host_uuid=uuid[1])

        row = again(reached, cast.operator, "libvirt")["libvirt"]

        assert row.state == CheckState.FAILED
        assert "the same" in row.detail


class TestWays:
    @pytest.mark.django_db(transaction=True)  # long enough for the lease to be renewed by another thread
    def test_a_machine_behind_a_silent_firewall(self, cast: Cast, site: RemoteHost) -> None:
        site.drop()

        rows = do_checks(add(cast.operator, site))

        assert rows["port"].state == CheckState.FAILED
        assert "firewall" in rows["port"].fix

    def test_a_machine_that_refuses(self, cast: Cast, site: RemoteHost) -> None:
        rows = do_checks(add(cast.operator, site, port=2222))

        assert "nothing listens at port 2222" in rows["port"].detail

    def test_a_name_that_nobody_knows(self, cast: Cast, site: RemoteHost) -> None:
        rows = do_checks(add(cast.operator, site, address="kvm9.invalid"))

        assert states(rows)["name"] == CheckState.FAILED
        assert {row.state for key, row in rows.items() if key != "name"} == {CheckState.SKIPPED}

    def test_tls_with_and_without_certificates(self, cast: Cast, site: RemoteHost) -> None:
        host = add(cast.operator, site, transport=Transport.TLS)
        rows = do_checks(host)
        assert "no certificates" in rows["certificate"].detail

        certify(host, cast.operator, site)
        rows = do_checks(host)
        assert states(rows)["sign_in"] == states(rows)["libvirt"] == CheckState.PASSED
        assert rows["console"].state == CheckState.FAILED
        assert rows["clock"].state == CheckState.SKIPPED

    def test_tls_of_another_authority(self, cast: Cast, site: RemoteHost) -> None:
        host = add(cast.operator, site, transport=Transport.TLS)
        certify(host, cast.operator, site)
        ours = site.lab.authority
        site.use_certificate(Authority().server(site.ip, site.name))
        try:
            rows = do_checks(host)
        finally:
            site.use_certificate(ours.server(site.ip, site.name))

        assert "not signed by the authority" in rows["certificate"].detail
        assert states(rows)["libvirt"] == CheckState.SKIPPED

    def test_tcp_once_somebody_said_yes(self, cast: Cast, site: RemoteHost) -> None:
        rows = do_checks(add(cast.superuser, site, transport=Transport.TCP, insecure=True))

        assert "sign_in" not in rows
        assert rows["libvirt"].state == CheckState.PASSED

    def test_this_machine(self, cast: Cast, lab_host: LabHost, settings: Settings) -> None:
        settings.LIBVIRT_SOCKET = str(lab_host.socket)
        host = manage.add(actor=cast.operator, details=HostDetails(transport=Transport.LOCAL, name="here"))

        assert states(do_checks(host)) == {
            "libvirt": "passed",
            "kvm": "warning",
            "pool": "passed",
            "network": "passed",
        }


class TestByTheClock:
    def test_what_failed_is_found_mended_without_an_operation(
        self, cast: Cast, reached: Host, site: RemoteHost
    ) -> None:
        HostCheck.objects.filter(host=reached, key="console").update(state=CheckState.FAILED)

        tasks.check_quietly(reached.pk)

        assert HostCheck.objects.get(host=reached, key="console").state == CheckState.PASSED
        assert not Operation.objects.active().exists()

    def test_only_hosts_with_a_failed_check_are_sent_for_and_no_more_than_a_few(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr(current_app, "send_task", lambda name, args, **_: sent.append(args[0]))
        for number in range(10):
            host = Host.objects.create(name=f"h{number}")
            state = CheckState.FAILED if number else CheckState.PASSED
            HostCheck.objects.create(host=host, key="port", position=0, state=state)

        tasks.recheck()

        assert len(sent) == len(set(sent)) == tasks.AT_ONCE
        assert Host.objects.get(name="h0").pk not in sent

    def test_a_host_that_was_lost_is_looked_at_again(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may show another key by now, and nobody could confirm one that was never looked at."""
        sent: list[int] = []
        monkeypatch.setattr(current_app, "send_task", lambda name, args, **_: sent.append(args[0]))
        for state in HostState:
            host = Host.objects.create(name=state.value, state=state)
            HostCheck.objects.create(host=host, key="port", position=0, state=CheckState.PASSED)

        tasks.recheck()

        lost = Host.objects.filter(state__in=(HostState.DOWN, HostState.BLOCKED))
        assert set(sent) == set(lost.values_list("pk", flat=True))

    def test_a_host_that_is_blocked_is_looked_at_without_waiting(
        self, cast: Cast, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr(current_app, "send_task", lambda name, args, **_: sent.append(args[0]))
        just_now = timezone.now()
        HostCheck.objects.create(
            host=host, key="port", position=0, state=CheckState.PASSED, checked_at=just_now
        )
        inventory.record_blocked(host, "It shows another key.")

        tasks.recheck()

        assert sent == [host.pk]
