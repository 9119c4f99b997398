"""People and teams: superusers only, and never without one."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Membership, Team, User
from accounts.permissions import Role
from audit.models import Entry
from tests.conftest import PASSWORD, Cast, browser_of

PAGES = ["/account/people/", "/account/people/new", "/account/teams/new"]


@pytest.fixture
def superuser(cast: Cast) -> Client:
    return browser_of(cast.superuser)


class TestWho:
    @pytest.mark.parametrize("name", ["operator", "auditor", "lead", "member", "stranger"])
    @pytest.mark.parametrize("page", PAGES)
    def test_may_not(self, cast: Cast, name: str, page: str) -> None:
        assert browser_of(cast.people()[name]).get(page).status_code == 403

    @pytest.mark.parametrize("page", PAGES)
    def test_superusers_may(self, superuser: Client, page: str) -> None:
        assert superuser.get(page).status_code == 200

    def test_an_operator_cannot_make_themselves_superuser(self, cast: Cast, operator: Client) -> None:
        path = f"/account/people/{cast.operator.pk}/"

        assert operator.post(path, {"role": "superuser", "active": "on"}).status_code == 403
        assert operator.get(path).status_code == 403
        cast.operator.refresh_from_db()
        assert cast.operator.role == Role.OPERATOR


class TestPeople:
    def test_somebody_new_can_sign_in(self, superuser: Client) -> None:
        data = {"username": "ada", "password": PASSWORD, "role": "operator"}
        assert superuser.post("/account/people/new", data).status_code == 302

        client = Client(headers={"x-forwarded-proto": "https"})
        assert client.post("/account/sign-in", {"username": "ada", "password": PASSWORD}).status_code == 302

    @pytest.mark.parametrize(
        ("username", "password", "words"),
        [
            ("operator", PASSWORD, "already exists"),
            ("<b>", PASSWORD, "valid username"),
            ("../x", PASSWORD, "valid username"),
            ("", PASSWORD, "required"),
            ("x" * 151, PASSWORD, "at most 150"),
            ("ada", "short", "too short"),
            ("ada", "ada", "too similar"),
        ],
    )
    def test_is_refused_beside_the_field(
        self, superuser: Client, username: str, password: str, words: str
    ) -> None:
        data = {"username": username, "password": password, "role": "requester"}

        answer = superuser.post("/account/people/new", data)

        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not User.objects.filter(username=username).exclude(username="operator").exists()

    def test_an_empty_form_is_refused_too(self, superuser: Client) -> None:
        for page in ("/account/people/new", "/account/teams/new", "/account/password"):
            assert superuser.post(page).status_code == 422

    def test_who_is_shut_out_is_out_at_once(self, cast: Cast, superuser: Client, operator: Client) -> None:
        superuser.post(f"/account/people/{cast.operator.pk}/", {"role": "operator"})

        assert operator.get("/").status_code == 302

    def test_a_new_role_counts_at_once(self, cast: Cast, superuser: Client, operator: Client) -> None:
        superuser.post(f"/account/people/{cast.operator.pk}/", {"role": "requester", "active": "on"})

        assert operator.get("/hosts/").status_code == 403

    @pytest.mark.parametrize("change", [{"role": "operator", "active": "on"}, {"role": "superuser"}])
    def test_the_last_superuser_stays_one(
        self, cast: Cast, superuser: Client, change: dict[str, str]
    ) -> None:
        answer = superuser.post(f"/account/people/{cast.superuser.pk}/", change)

        assert answer.status_code == 409
        assert "last superuser" in answer.content.decode()
        cast.superuser.refresh_from_db()
        assert cast.superuser.is_active
        assert cast.superuser.role == Role.SUPERUSER

    def test_a_new_password_ends_their_logins(self, cast: Cast, superuser: Client, operator: Client) -> None:
        path = f"/account/people/{cast.operator.pk}/password"

        assert superuser.post(path, {"password": PASSWORD}).status_code == 302
        assert operator.get("/").status_code == 302
        assert PASSWORD not in str(Entry.objects.values_list())

    def test_the_list_costs_the_same_for_many(
        self, cast: Cast, superuser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        User.objects.bulk_create(User(username=f"u{i:03}", password="!") for i in range(120))
        superuser.get("/account/people/")

        with django_assert_max_num_queries(8):
            page = superuser.get("/account/people/?page=2").content.decode()

        assert "u050" in page


class TestTeams:
    def test_a_member_gets_the_teams_rights_and_loses_them(self, cast: Cast, superuser: Client) -> None:
        path = f"/account/teams/{cast.team.pk}/"
        superuser.post(path, {"person": cast.stranger.pk, "role": "team_member"})
        membership = Membership.objects.get(user=cast.stranger)

        superuser.post(f"{path}members/{membership.pk}/remove")

        assert not Membership.objects.filter(user=cast.stranger).exists()
        assert [row.verb for row in Entry.objects.order_by("pk")][-2:] == [
            "team.set_member",
            "team.remove_member",
        ]

    def test_a_second_role_replaces_the_first(self, cast: Cast, superuser: Client) -> None:
        path = f"/account/teams/{cast.team.pk}/"
        superuser.post(path, {"person": cast.member.pk, "role": "team_lead"})

        assert Membership.objects.get(user=cast.member).role == Role.TEAM_LEAD

    def test_a_global_role_is_none_in_a_team(self, cast: Cast, superuser: Client) -> None:
        path = f"/account/teams/{cast.team.pk}/"

        assert superuser.post(path, {"person": cast.member.pk, "role": "superuser"}).status_code == 422

    def test_a_name_is_given_once(self, cast: Cast, superuser: Client) -> None:
        assert superuser.post("/account/teams/new", {"name": "blue"}).status_code == 422
        assert superuser.post("/account/teams/new", {"name": "red"}).status_code == 302

    def test_is_deleted_and_people_stay(self, cast: Cast, superuser: Client) -> None:
        superuser.post(f"/account/teams/{cast.team.pk}/delete")

        assert not Team.objects.exists()
        assert User.objects.filter(pk=cast.member.pk).exists()

    @pytest.mark.parametrize("name", ["operator", "lead", "stranger"])
    def test_nobody_else_changes_one(self, cast: Cast, name: str) -> None:
        client = browser_of(cast.people()[name])
        path = f"/account/teams/{cast.team.pk}/"

        assert client.post(path, {"person": cast.stranger.pk, "role": "team_lead"}).status_code == 403
        assert client.post(f"{path}delete").status_code == 403
        assert Team.objects.exists()
