"""The cast and the stage: people with each role, and a host with what it needs."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.hashers import Argon2InTurn
from accounts.models import ApiToken, Membership, Team, User
from accounts.permissions import Role
from hosts.models import Host, HostState

pytest_plugins = [
    "tests.lab.fixtures",
    "tests.scenery",
    "tests.schedule",
    "tests.turns",
    "tests.leavings",
    "tests.flushing",
]

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Cast:
    """Everybody who ever opens a page: people with global roles, a team of two, and a stranger."""

    superuser: User
    operator: User
    auditor: User
    lead: User
    member: User
    stranger: User
    team: Team

    def people(self) -> dict[str, User]:
        """By the names that the role tables use."""
        names = ("superuser", "operator", "auditor", "lead", "member", "stranger")
        return {name: getattr(self, name) for name in names}


def pytest_collection_finish() -> None:
    """Leave what was loaded by now out of every later look for garbage, which takes a tenth of a run otherwise."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured or counted (`record_property`), for people who want the figures."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name} {value}")


@pytest.fixture(autouse=True)
def plain_static_files(settings: Settings) -> None:
    """Pages name static files as they are; that hashed names are made and served is the launcher's tests' matter."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 with as little work as it does; where hashing itself is tested, this fixture is overridden."""
    for name, least in {"time_cost": 1, "memory_cost": 8, "parallelism": 1}.items():
        monkeypatch.setattr(Argon2InTurn, name, least)


def make_cast() -> Cast:
    """In the database."""

    def person(name: str, role: Role) -> User:
        user = User(username=name, role=role)
        user.set_unusable_password()  # only the sign-in tests need one
        user.save()
        return user

    team = Team.objects.create(name="blue")
    cast = Cast(
        superuser=person("superuser", Role.SUPERUSER),
        operator=person("operator", Role.OPERATOR),
        auditor=person("auditor", Role.AUDITOR),
        lead=person("lead", Role.REQUESTER),
        member=person("member", Role.REQUESTER),
        stranger=person("stranger", Role.REQUESTER),
        team=team,
    )
    Membership.objects.create(user=cast.lead, team=team, role=Role.TEAM_LEAD)
    Membership.objects.create(user=cast.member, team=team, role=Role.TEAM_MEMBER)
    return cast


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def make_host() -> Host:
    """In the database: one that is up."""
    return Host.objects.create(
        name="kvm1", state=HostState.UP, cpus=4, memory_mib=8192, memory_free_mib=6144, uefi=True
    )


@pytest.fixture
def host(db: None) -> Host:
    return make_host()


@pytest.fixture
def operator(cast: Cast) -> Client:
    """A browser in which the operator is signed in."""
    return browser_of(cast.operator)


def browser_of(user: User) -> Client:
    """A browser in which `user` is signed in, over TLS as nginx presents it."""
    client = Client(headers={"x-forwarded-proto": "https"})
    client.force_login(user)
    return client


def program_of(user: User) -> Client:
    """A program that calls the REST interface with a token of `user`."""
    token = ApiToken.fresh()
    ApiToken.objects.create(user=user, name="program", digest=ApiToken.hash(token))
    return Client(headers={"x-forwarded-proto": "https", "authorization": f"Bearer {token}"})
