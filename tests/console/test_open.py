"""From the wish to see a screen to the screen: permission, audit, a worker, a ticket, the proxy, QEMU."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from celery import current_app
from celery.contrib.testing.worker import start_worker
from django.conf import settings as site
from django.test import Client
from websockets.sync.client import ClientConnection

from accounts.actions import change_person, delete_team, revoke_token
from accounts.models import ApiToken
from accounts.permissions import Role
from audit.models import Entry
from console import desk
from console.closing import Closing
from console.proxy.settings import Settings
from domains.actions.create import create
from domains.inventory import record_domain
from domains.models import Domain, DomainState
from domains.wishes import NewDomain
from hosts import tunnels
from hosts.connections import act_as, borrow, forget
from hosts.models import Credentials, Host, HostState
from networks.models import Network
from operations.models import Operation, OperationState
from storage.models import Pool
from tests.conftest import Cast, browser_of
from tests.console.stage import Viewer, closing_of, knock
from tests.eventually import eventually
from tests.hosts.reach import over_ssh
from tests.lab.daemon import LibvirtHost
from tests.lab.host import LabHost
from tests.lab.machines import machine
from tests.lab.remote import RemoteHost
from tests.stage import adopt, read

See = Callable[[str, str], ClientConnection]


def ask(browser: Client, uuid: UUID, **body: str) -> tuple[int, dict[str, str]]:
    """As the page's script asks: with the CSRF cookie's secret in a header, from the site's own origin."""
    browser.cookies[site.CSRF_COOKIE_NAME] = secret = "s" * 32
    answer = browser.post(
        f"/api/v1/domains/{uuid}/console",
        json.dumps(body),
        content_type="application/json",
        headers={"x-csrftoken": secret, "origin": site.PANEL_ORIGINS[0]},
    )
    return answer.status_code, answer.json()


@pytest.fixture
def running(host: Host, cast: Cast) -> Domain:
    return Domain.objects.create(
        host=host, name="web1", state=DomainState.RUNNING, has_screen=True, team=cast.team
    )


@pytest.mark.django_db
class TestAsking:
    def test_does_not_exist_for_a_stranger(self, cast: Cast, running: Domain) -> None:
        assert ask(browser_of(cast.stranger), running.uuid)[0] == 404

    def test_does_not_exist_for_an_auditor(self, cast: Cast, running: Domain) -> None:
        assert ask(browser_of(cast.auditor), running.uuid)[0] == 404

    def test_a_machine_that_is_off_has_no_screen(self, operator: Client, running: Domain) -> None:
        Domain.objects.update(state=DomainState.OFF)

        status, told = ask(operator, running.uuid)

        assert (status, told["title"], told["code"]) == (409, "web1 is off.", "machine_off")
        assert not Entry.objects.filter(verb="console.open").exists()

    def test_a_machine_without_a_screen_is_said_to_have_none(self, operator: Client, running: Domain) -> None:
        Domain.objects.update(has_screen=False)

        assert ask(operator, running.uuid)[1]["title"] == "web1 has no VNC screen."

    def test_asks_no_worker_about_a_host_that_is_known_to_be_away(
        self, operator: Client, running: Domain
    ) -> None:
        Host.objects.update(state=HostState.DOWN)

        status, told = ask(operator, running.uuid)

        assert (status, told["title"]) == (503, "kvm1 does not answer.")
        assert not Entry.objects.filter(verb="console.open").exists()

    def test_sends_to_the_checks_of_a_host_that_must_be_looked_at(
        self, operator: Client, running: Domain
    ) -> None:
        Host.objects.update(state=HostState.BLOCKED)

        status, told = ask(operator, running.uuid)

        assert (status, told["fix"]) == (409, "The checks on the host's page say what to do.")
        assert "code" not in told, "the page would take it for a machine that is off"

    def test_does_not_wait_for_ever_for_a_worker(
        self, operator: Client, running: Domain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(desk, "PATIENCE_S", 0.1)

        status, told = ask(operator, running.uuid)

        assert (status, told["title"]) == (503, "All of the panel's workers are busy.")

    def test_the_page_is_for_those_who_may(self, cast: Cast, running: Domain) -> None:
        page = f"/console/{running.uuid}/"

        assert browser_of(cast.member).get(page).status_code == 200
        assert browser_of(cast.auditor).get(page).status_code == 404
        assert browser_of(cast.stranger).get(page).status_code == 404


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """A Celery worker in a thread of this process, on the test's own queue."""
    with start_worker(current_app, pool="solo", perform_ping_check=False, loglevel="ERROR"):
        yield
    current_app.control.purge()


@pytest.fixture
def proxy_settings(proxy_settings: Settings) -> Settings:
    """The proxy on the site's own Redis: web, worker and proxy meet there."""
    return replace(proxy_settings, redis_url=site.REDIS_URL, tunnels=site.STATE_DIR / "run")


@pytest.fixture
def see(proxy_settings: Settings) -> Iterator[See]:
    """Go to the proxy with a ticket, as the login with that secret."""
    with ExitStack() as lines:

        def enter(ticket: str, session: str) -> ClientConnection:
            assert isinstance(proxy_settings.listen, Path)
            return lines.enter_context(knock(proxy_settings.listen, ticket, session=session))

        yield enter


@pytest.fixture
def real_host(transactional_db: None, lab_host: LabHost) -> Host:
    return adopt(lab_host)


@pytest.fixture
def panel_made(worker: None, real_host: Host, cast: Cast, lab_host: LabHost) -> Iterator[Domain]:
    """A machine that the panel made: its VNC password has expired from the start."""
    with made_on(real_host, lab_host, cast) as domain:
        yield domain


@contextmanager
def made_on(host: Host, lab_host: LibvirtHost, cast: Cast) -> Iterator[Domain]:
    operation = create(
        new=NewDomain(
            host=host,
            name=f"web-{uuid4().hex[:6]}",
            vcpus=1,
            memory_mib=64,
            pool=Pool.objects.get(host=host, name="default"),
            disk_gib=1,
            network=Network.objects.get(host=host, name="default"),
        ),
        actor=cast.superuser,
    )
    done = Operation.objects.filter(pk=operation.pk, state=OperationState.SUCCEEDED)
    eventually(done.exists, within_s=30)
    domain = Domain.objects.get(uuid=operation.target_id)
    with borrow(host) as hypervisor:
        yield record_domain(host, hypervisor.read_domain(domain.uuid))
    lab_host.virsh("destroy", str(domain.uuid))
    lab_host.virsh("undefine", str(domain.uuid), "--remove-all-storage")


@pytest.mark.usefixtures("worker", "proxy")
class TestSeeing:
    def test_a_machine_of_the_panel_s(self, cast: Cast, panel_made: Domain, see: See) -> None:
        browser = browser_of(cast.operator)

        status, told = ask(browser, panel_made.uuid)
        viewer = Viewer(see(told["ticket"], str(browser.session.session_key))).shake_hands()

        assert status == 201
        assert viewer.name == f"QEMU ({panel_made.name})".encode()
        opened = Entry.objects.get(verb="console.open")
        assert (opened.actor, opened.target_key) == (cast.operator, str(panel_made.uuid))

    def test_together_with_somebody_else(self, cast: Cast, panel_made: Domain, see: See) -> None:
        browsers = [browser_of(cast.operator), browser_of(cast.superuser)]
        told = [ask(browser, panel_made.uuid)[1] for browser in browsers]

        for browser, one in zip(browsers, told, strict=True):
            Viewer(see(one["ticket"], str(browser.session.session_key))).shake_hands()

        here = browsers[0].get(f"/api/v1/domains/{panel_made.uuid}/console").json()
        assert {one["user"] for one in here} == {"operator", "superuser"}

    def test_a_machine_made_elsewhere_without_a_password(
        self,
        cast: Cast,
        real_host: Host,
        lab_host: LabHost,
        see: See,
    ) -> None:
        browser = browser_of(cast.operator)
        with machine(lab_host, "mail") as made, borrow(real_host) as hypervisor:
            made.virsh("start")
            record_domain(real_host, hypervisor.read_domain(made.uuid))

            _, told = ask(browser, made.uuid, mode="view_only")
            viewer = Viewer(see(told["ticket"], str(browser.session.session_key))).shake_hands()

            assert viewer.name == b"QEMU (mail)"
            made.virsh("destroy")
            assert closing_of(viewer.line)[0] == Closing.SCREEN_GONE.code
            status, told = ask(browser, made.uuid)
            assert (status, told["title"]) == (409, "mail is off."), "the inventory does not know it yet"


@pytest.mark.usefixtures("worker", "proxy")
class TestSeeingOnAnotherHost:
    """Through ssh; no screen listens on the network."""

    @pytest.fixture
    def other_host(self, transactional_db: None, remote_host: RemoteHost) -> Iterator[Host]:
        act_as("worker")
        host = over_ssh(remote_host)
        read(host)
        host.refresh_from_db()
        yield host
        tunnels.close(host.pk)
        forget(host)

    def test_a_machine_of_the_panel_s(
        self, cast: Cast, other_host: Host, remote_host: RemoteHost, see: See
    ) -> None:
        browser = browser_of(cast.operator)
        with made_on(other_host, remote_host, cast) as domain:
            _, told = ask(browser, domain.uuid)
            viewer = Viewer(see(told["ticket"], str(browser.session.session_key))).shake_hands()

            assert viewer.name == f"QEMU ({domain.name})".encode()
            assert "127.0.0.1:0" in remote_host.virsh("vncdisplay", str(domain.uuid))
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((remote_host.ip, 5900), timeout=5)

    def test_again_after_its_ssh_was_killed(
        self, cast: Cast, other_host: Host, remote_host: RemoteHost, see: See
    ) -> None:
        browser = browser_of(cast.operator)
        with machine(remote_host, "mail") as made, borrow(other_host) as hypervisor:
            made.virsh("start")
            record_domain(other_host, hypervisor.read_domain(made.uuid))
            _, told = ask(browser, made.uuid)
            viewer = Viewer(see(told["ticket"], str(browser.session.session_key))).shake_hands()
            tunnels.close(other_host.pk)
            assert closing_of(viewer.line)[0] == Closing.SCREEN_GONE.code

            _, told = ask(browser, made.uuid)
            viewer = Viewer(see(told["ticket"], str(browser.session.session_key))).shake_hands()
            assert viewer.name == b"QEMU (mail)"

    def test_says_what_is_missing_where_there_is_no_ssh(
        self, cast: Cast, other_host: Host, remote_host: RemoteHost
    ) -> None:
        with machine(remote_host, "mail") as made, borrow(other_host) as hypervisor:
            made.virsh("start")
            record_domain(other_host, hypervisor.read_domain(made.uuid))
            Credentials.objects.filter(host=other_host).update(host_key="")

            status, told = ask(browser_of(cast.operator), made.uuid)

            assert status == 409
            assert "no SSH connection" in told["title"]
            assert "code" not in told

    def test_tells_a_host_that_is_not_what_it_was_from_a_machine_without_a_screen(
        self, cast: Cast, other_host: Host, remote_host: RemoteHost
    ) -> None:
        with machine(remote_host, "mail") as made, borrow(other_host) as hypervisor:
            made.virsh("start")
            record_domain(other_host, hypervisor.read_domain(made.uuid))
            known = Credentials.objects.get(host=other_host)
            known.host_key = "ssh-ed25519 AAAA"
            known.save()

            status, told = ask(browser_of(cast.operator), made.uuid)

            assert status == 409
            assert "is not what it was" in told["title"]


@pytest.mark.usefixtures("worker", "proxy")
class TestEnding:
    @pytest.fixture
    def opened(self, cast: Cast, panel_made: Domain, see: See) -> tuple[Client, ClientConnection]:
        Domain.objects.update(team=cast.team)
        browser = browser_of(cast.member)
        _, told = ask(browser, panel_made.uuid)
        line = see(told["ticket"], str(browser.session.session_key))
        Viewer(line).shake_hands()
        return browser, line

    def test_with_the_sign_out(self, opened: tuple[Client, ClientConnection]) -> None:
        browser, line = opened

        browser.logout()

        assert closing_of(line) == (Closing.SIGNED_OUT.code, "signed_out")

    def test_when_rights_change(self, cast: Cast, opened: tuple[Client, ClientConnection]) -> None:
        _, line = opened

        change_person(actor=cast.superuser, person=cast.member, role=Role.AUDITOR, active=True)

        assert closing_of(line) == (Closing.RIGHTS_CHANGED.code, "rights_changed")

    def test_when_the_team_is_no_more(self, cast: Cast, opened: tuple[Client, ClientConnection]) -> None:
        _, line = opened

        delete_team(actor=cast.superuser, team=cast.team)

        assert closing_of(line) == (Closing.RIGHTS_CHANGED.code, "rights_changed")

    def test_when_the_person_is_shut_out(self, cast: Cast, opened: tuple[Client, ClientConnection]) -> None:
        _, line = opened

        change_person(actor=cast.superuser, person=cast.member, role=Role.REQUESTER, active=False)

        assert closing_of(line) == (Closing.SIGNED_OUT.code, "signed_out")

    def test_with_the_token_that_opened_it(self, cast: Cast, panel_made: Domain, see: See) -> None:
        text = ApiToken.fresh()
        token = ApiToken.objects.create(user=cast.operator, name="script", digest=ApiToken.hash(text))
        program = Client(headers={"authorization": f"Bearer {text}", "x-forwarded-proto": "https"})
        _, told = ask(program, panel_made.uuid)
        line = see(told["ticket"], text)
        Viewer(line).shake_hands()

        revoke_token(actor=cast.operator, token=token)

        assert closing_of(line) == (Closing.SIGNED_OUT.code, "signed_out")
