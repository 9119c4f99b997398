"""Adding, changing and removing hosts: what is accepted, what is told to whom, and what never is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.x509.oid import NameOID
from django.db import connection
from django.test import Client

from audit.models import Entry
from domains.models import Domain
from hosts import connections, keys
from hosts.models import CheckState, Credentials, Host, HostCheck, HostState, Transport
from hosts.tasks import recheck
from hypervisor.errors import AccessDenied
from operations import actions as operations
from operations.models import Operation, OperationState
from storage.models import Pool, Volume
from tests.conftest import Cast, browser_of, program_of
from tests.hosts.reach import spoil
from tests.stage import carry_out

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2J4vG7Bq3sWIXWv2jPpI0o1vJ1cGmQ5g1n4mH7b1aZ"


def fresh_certificate(key: EllipticCurvePrivateKey, *, days: int = 1) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "panel")])
    until = datetime.now(UTC) + timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(until - timedelta(days=9)).not_valid_after(until)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def as_pem(key: EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


@pytest.fixture
def remote(operator: Client) -> Host:
    """A host over SSH, just added."""
    operator.post("/hosts/new/", {"address": "kvm2.example.org", "transport": "ssh"})
    return Host.objects.get(address="kvm2.example.org")


class TestAdding:
    def test_takes_an_address_and_shows_what_to_do_there(self, operator: Client) -> None:
        answer = operator.post(
            "/hosts/new/", {"address": " KVM2.example.org ", "transport": "ssh", "labels": "ssd, a"}
        )

        host = Host.objects.get()
        assert answer["Location"] == f"/hosts/{host.uuid}/checks/"
        assert (host.name, host.username, host.labels) == ("kvm2.example.org", "kvmpanel", ["a", "ssd"])
        page = operator.get(answer["Location"]).content.decode()
        public_key = Credentials.objects.get(host=host).ssh_public_key
        assert public_key in page
        assert "apt-get install" in page
        assert "dnf install" in page
        assert "zypper install" in page
        assert Operation.objects.get(kind="host.check").target_id == host.uuid
        assert set(HostCheck.objects.values_list("state", flat=True)) == {CheckState.WAITING}

    def test_by_rest(self, cast: Cast) -> None:
        given = {"address": "2001:db8::0007", "name": "six", "labels": ["ssd"], "port": 2222}

        answer = program_of(cast.operator).post("/api/v1/hosts", given, "application/json")

        assert answer.status_code == 201
        assert answer.json()["address"] == "2001:db8::7"
        assert Host.objects.get().authority == "kvmpanel@[2001:db8::7]:2222"

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"address": "h/system?command=/x#"}, "address"),
            ({"address": "-oProxyCommand=x"}, "address"),
            ({"address": "root@kvm2"}, "address"),
            ({"address": "kvm2:22"}, "address"),
            ({"address": "ssh://kvm2"}, "address"),
            ({"address": "fe80::1%eth0"}, "address"),
            ({"address": "kvm2\nx"}, "address"),
            ({"address": "hôte"}, "address"),
            ({"address": "kvm2%3fx"}, "address"),
            ({"address": ""}, "address"),
            ({"address": "kvm2", "username": "-l root"}, "username"),
            ({"address": "kvm2", "username": "a b"}, "username"),
            ({"address": "kvm2", "port": 65536}, "port"),
            ({"address": "kvm2", "labels": ["a b"]}, "labels"),
            ({"address": "kvm2", "labels": [f"l{n}" for n in range(21)]}, "labels"),
            ({"address": "kvm2", "name": "a\x00b"}, "name"),
            ({"address": "kvm2", "migration_address": "a b"}, "migration_address"),
            ({"address": "kvm2", "transport": "tcp"}, "insecure"),
        ],
    )
    def test_refuses_with_a_reason(self, cast: Cast, given: dict[str, Any], field: str) -> None:
        answer = program_of(cast.superuser).post("/api/v1/hosts", given, "application/json")

        assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert not Host.objects.exists()

    def test_refuses_on_the_page_beside_the_field(self, operator: Client) -> None:
        answer = operator.post("/hosts/new/", {"address": "root@kvm2", "transport": "ssh"})

        assert answer.status_code == 422
        assert "neither a host name nor an IP address" in answer.content.decode()

    def test_refuses_the_same_place_and_the_same_name(self, operator: Client, remote: Host) -> None:
        same_place = operator.post(
            "/hosts/new/", {"address": "kvm2.example.org", "transport": "ssh", "name": "x"}
        )
        same_name = operator.post(
            "/hosts/new/", {"address": "kvm3", "transport": "ssh", "name": "KVM2.example.org"}
        )

        assert "has this address already" in same_place.content.decode()
        assert "Another host is called" in same_name.content.decode()


class TestTcp:
    def test_is_a_right_of_its_own(self, cast: Cast) -> None:
        given = {"address": "kvm2", "transport": "tcp", "insecure": True}

        assert program_of(cast.operator).post("/api/v1/hosts", given, "application/json").status_code == 403
        assert 'value="tcp"' not in browser_of(cast.operator).get("/hosts/new/").content.decode()

    def test_is_written_down_and_warned_of_for_ever(self, cast: Cast) -> None:
        browser = browser_of(cast.superuser)
        browser.post("/hosts/new/", {"address": "kvm2", "transport": "tcp", "insecure": "on"})

        host = Host.objects.get()
        assert Entry.objects.get(verb="host.add").details["insecure"] is True
        for path in (f"/hosts/{host.uuid}/", f"/hosts/{host.uuid}/checks/"):
            assert "This connection is not encrypted" in browser.get(path).content.decode()

    def test_is_asked_for_again_at_another_address(self, cast: Cast) -> None:
        program = program_of(cast.superuser)
        given = {"address": "kvm2", "transport": "tcp", "insecure": True}
        uuid = program.post("/api/v1/hosts", given, "application/json").json()["uuid"]

        moved = {"address": "kvm3", "transport": "tcp"}

        assert program.put(f"/api/v1/hosts/{uuid}", moved, "application/json").json()["field"] == "insecure"

    def test_is_asked_for_again_at_another_port(self, cast: Cast) -> None:
        program = program_of(cast.superuser)
        given = {"address": "kvm2", "transport": "tcp", "insecure": True}
        uuid = program.post("/api/v1/hosts", given, "application/json").json()["uuid"]

        moved = {"address": "kvm2", "transport": "tcp", "port": 16510}

        assert program.put(f"/api/v1/hosts/{uuid}", moved, "application/json").json()["field"] == "insecure"


class TestChanging:
    def test_keeps_what_is_trusted_and_checks_anew_where_it_moved(
        self, operator: Client, remote: Host
    ) -> None:
        Operation.objects.update(state="succeeded")
        Credentials.objects.filter(host=remote).update(host_key=KEY)
        Host.objects.update(state=HostState.DOWN, error="gone")
        form = {"address": "192.0.2.7", "transport": "ssh", "cpu_overcommit": "2", "memory_overcommit": "1"}

        operator.post(f"/hosts/{remote.uuid}/edit", {**form, "name": "new", "labels": "x"})

        remote.refresh_from_db()
        assert (remote.name, remote.address, remote.labels, remote.state) == (
            "new",
            "192.0.2.7",
            ["x"],
            "new",
        )
        assert Credentials.objects.get(host=remote).host_key == KEY
        assert Operation.objects.active().filter(kind="host.check").exists()

    def test_of_labels_alone_checks_nothing(self, cast: Cast, remote: Host) -> None:
        Operation.objects.update(state="succeeded")
        given = {"address": remote.address, "username": "kvmpanel", "labels": ["gpu"], "name": remote.name}

        program_of(cast.operator).put(f"/api/v1/hosts/{remote.uuid}", given, "application/json")

        assert not Operation.objects.active().exists()
        assert Entry.objects.get(verb="host.change").details == {"labels": ["gpu"], "insecure": False}

    def test_while_it_is_being_drained_waits_to_be_checked(self, operator: Client, remote: Host) -> None:
        Operation.objects.update(kind="host.drain", state="running")

        form = {"address": "192.0.2.7", "transport": "ssh", "cpu_overcommit": "2", "memory_overcommit": "1"}
        answer = operator.post(f"/hosts/{remote.uuid}/edit", form)

        assert answer.status_code == 302
        assert HostCheck.objects.filter(state=CheckState.WAITING).exists()

    def test_of_the_panels_own_machine_says_nothing_of_its_address(
        self, operator: Client, host: Host
    ) -> None:
        page = operator.get(f"/hosts/{host.uuid}/edit").content.decode()
        form = {"name": "here", "labels": "", "cpu_overcommit": "8", "memory_overcommit": "1.5"}
        operator.post(f"/hosts/{host.uuid}/edit", form)

        host.refresh_from_db()
        assert 'name="address"' not in page
        assert (host.name, host.cpu_overcommit, host.memory_overcommit) == ("here", 8.0, 1.5)


class TestCancelling:
    def test_leaves_the_checks_to_the_clock(
        self, cast: Cast, remote: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr(current_app, "send_task", lambda name, args, **_: sent.append(args[0]))
        HostCheck.objects.filter(key="name").update(state=CheckState.RUNNING)
        operation = operations.cancel(operation=Operation.objects.get(kind="host.check"), actor=cast.operator)

        assert carry_out(operation.pk).state == OperationState.CANCELLED
        assert set(HostCheck.objects.values_list("state", flat=True)) == {CheckState.WAITING}
        recheck()
        assert sent == [remote.pk]


class TestRemoving:
    def test_wants_the_name(self, operator: Client, remote: Host) -> None:
        assert operator.post(f"/hosts/{remote.uuid}/remove", {"name": "other"}).status_code == 422
        assert Host.objects.present().exists()

    @pytest.mark.django_db(transaction=True)
    def test_forgets_the_credentials_and_frees_the_name(self, operator: Client, remote: Host) -> None:
        operator.post(f"/hosts/{remote.uuid}/remove", {"name": remote.name})

        assert not Host.objects.present().exists()
        assert not Credentials.objects.exists()
        answer = operator.post("/hosts/new/", {"address": "kvm2.example.org", "transport": "ssh"})
        assert answer.status_code == 302

    def test_waits_for_what_is_at_work_on_it(self, operator: Client, remote: Host) -> None:
        Operation.objects.update(kind="host.drain", title="Drain it", state="running")

        answer = operator.post(f"/hosts/{remote.uuid}/remove", {"name": remote.name})

        assert answer.status_code == 409
        assert "Drain it" in answer.content.decode()

    @pytest.mark.parametrize("what", ["domain", "volume", "leaves", "arrives"])
    def test_waits_for_what_is_at_work_on_its_things(
        self, operator: Client, remote: Host, host: Host, what: str
    ) -> None:
        Operation.objects.update(state="succeeded")
        domain = Domain.objects.create(host=remote if what == "domain" else host, name="web1")
        pool = Pool.objects.create(host=remote, uuid=uuid4(), name="default", kind="dir")
        volume = Volume.objects.create(pool=pool, name="old.iso")
        places = {"leaves": {"source": str(remote.uuid)}, "arrives": {"target": str(remote.uuid)}}
        at_work = Operation.objects.create(
            kind="any",
            title="Work on it",
            target_kind="volume" if what == "volume" else "domain",
            target_id=volume.uuid if what == "volume" else domain.uuid,
            params=places.get(what, {}),
        )

        answer = operator.post(f"/hosts/{remote.uuid}/remove", {"name": remote.name})

        assert answer.status_code == 409
        assert "Work on it" in answer.content.decode()
        Operation.objects.filter(pk=at_work.pk).update(state="succeeded")
        assert operator.post(f"/hosts/{remote.uuid}/remove", {"name": remote.name}).status_code == 302


class TestTrust:
    def test_the_key_that_was_seen_is_trusted(self, operator: Client, remote: Host) -> None:
        Credentials.objects.filter(host=remote).update(offered_host_key=KEY)
        HostCheck.objects.filter(key="host_key").update(state=CheckState.FAILED)
        fingerprint = keys.HostKey.parse(KEY).fingerprint
        page = operator.get(f"/hosts/{remote.uuid}/checks/").content.decode()
        assert f"<code>{fingerprint}</code>" in page, "nobody confirms what is not shown"

        operator.post(f"/hosts/{remote.uuid}/host-key", {"fingerprint": fingerprint})

        known = Credentials.objects.get(host=remote)
        assert (known.host_key, known.offered_host_key) == (KEY, "")

    def test_an_auditor_sees_and_can_do_nothing(self, cast: Cast, remote: Host) -> None:
        Credentials.objects.filter(host=remote).update(offered_host_key=KEY)
        HostCheck.objects.filter(key="host_key").update(state=CheckState.FAILED)

        page = browser_of(cast.auditor).get(f"/hosts/{remote.uuid}/checks/").content.decode()

        assert "SSH key of the host" in page
        assert "<form" not in page.split('id="content"')[1].split('id="messages"')[0]

    @pytest.mark.parametrize("wrong", ["ca", "certificate", "key", "expired", "other"])
    def test_certificates_are_read_before_they_are_kept(
        self, operator: Client, remote: Host, wrong: str
    ) -> None:
        key, other = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
        days = -1 if wrong == "expired" else 1
        given = {
            "ca": fresh_certificate(key),
            "certificate": fresh_certificate(key, days=days),
            "key": as_pem(other if wrong == "other" else key),
        }
        if wrong in given:
            given[wrong] = "nonsense"

        answer = operator.post(f"/hosts/{remote.uuid}/certificates", given)

        assert answer.status_code == 422
        assert Credentials.objects.get(host=remote).client_key == ""

    def test_a_key_pasted_with_a_certificate_is_not_kept_with_it(
        self, operator: Client, remote: Host
    ) -> None:
        key = generate_private_key(SECP256R1())
        one, other = fresh_certificate(key), fresh_certificate(key, days=2)

        operator.post(
            f"/hosts/{remote.uuid}/certificates",
            {"ca": other + as_pem(key), "certificate": as_pem(key) + one + other, "key": as_pem(key)},
        )

        known = Credentials.objects.get(host=remote)
        assert (known.ca_certificate, known.client_certificate) == (other, one + other)


class TestSecrets:
    def test_that_cannot_be_opened_can_be_replaced(self, cast: Cast, operator: Client, remote: Host) -> None:
        spoil(remote)
        Credentials.objects.update(offered_host_key=KEY)
        HostCheck.objects.filter(key="host_key").update(state=CheckState.FAILED)
        path = f"/hosts/{remote.uuid}"

        answers = [operator.get(f"{path}/{page}") for page in ("", "checks/", "edit")]
        answers.append(program_of(cast.operator).get(f"/api/v1{path}/access"))
        assert {answer.status_code for answer in answers} == {200}
        with pytest.raises(AccessDenied, match="sealing_keys"):
            connections.prepared_address(remote)

        operator.post(f"{path}/host-key", {"fingerprint": keys.HostKey.parse(KEY).fingerprint})
        operator.post(f"{path}/key")

        known = Credentials.objects.get(host=remote)
        assert (known.host_key, "PRIVATE KEY" in known.ssh_private_key) == (KEY, True)

    def test_go_in_and_never_out(self, cast: Cast, operator: Client, remote: Host) -> None:
        Host.objects.update(transport=Transport.TLS)
        key = generate_private_key(SECP256R1())
        given = {"ca": fresh_certificate(key), "certificate": fresh_certificate(key), "key": as_pem(key)}
        path = f"/api/v1/hosts/{remote.uuid}"
        program = program_of(cast.operator)
        assert program.put(f"{path}/access/certificates", given, "application/json").status_code == 204
        known = Credentials.objects.get(host=remote)
        canaries = [
            line for text in (known.client_key, known.ssh_private_key) for line in text.splitlines()[1:3]
        ]

        told = [
            operator.get(f"/hosts/{remote.uuid}/{page}").content.decode() for page in ("", "checks/", "edit")
        ]
        told += [
            program.get(f"{path}{part}").content.decode() for part in ("", "/access", "/checks", "/events")
        ]
        told += [operator.post(f"/hosts/{remote.uuid}/certificates", {**given, "ca": "x"}).content.decode()]
        told += [json.dumps([row.details for row in Entry.objects.all()])]
        told += [json.dumps([row.params for row in Operation.objects.all()])]
        with connection.cursor() as cursor:
            cursor.execute("SELECT ssh_private_key, client_key FROM hosts_credentials")
            told += [str(cursor.fetchall())]

        assert len(canaries) == 4
        assert [canary for canary in canaries for text in told if canary in text] == []


class TestList:
    def test_filters_by_label(self, cast: Cast, operator: Client, remote: Host, host: Host) -> None:
        Host.objects.filter(pk=remote.pk).update(labels=["ssd", "rack=2"])

        page = operator.get("/hosts/?label=rack%3D2").content.decode()

        assert "kvm2.example.org" in page
        assert "kvm1" not in page

    def test_says_why_a_host_is_blocked(self, operator: Client, remote: Host) -> None:
        Host.objects.update(state=HostState.BLOCKED, error="Another <key>.")

        assert "Another &lt;key&gt;." in operator.get("/hosts/").content.decode()
        assert (
            "The panel does not talk to this host" in operator.get(f"/hosts/{remote.uuid}/").content.decode()
        )
