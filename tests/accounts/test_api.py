"""REST: the same actions, the same rights."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import ApiToken, Membership, User
from accounts.permissions import Role
from tests.conftest import PASSWORD, Cast, program_of

JSON = "application/json"


@pytest.fixture
def program(cast: Cast) -> Client:
    """Signed in as the superuser by a token."""
    return program_of(cast.superuser)


class TestOneself:
    def test_is_who_the_token_says(self, cast: Cast) -> None:
        me = program_of(cast.member).get("/api/v1/me").json()

        assert (me["username"], me["role"]) == ("member", "requester")

    def test_makes_a_token_and_revokes_it(self, cast: Cast) -> None:
        program = program_of(cast.member)
        made = program.post("/api/v1/me/tokens", {"name": "ci", "days": 1}, JSON)

        assert made.status_code == 201
        assert made.json()["token"].startswith("kvmp_")
        assert "token" not in program.get("/api/v1/me/tokens").json()[0]
        assert program.delete(f"/api/v1/me/tokens/{made.json()['id']}").status_code == 204

    def test_cannot_revoke_anothers(self, cast: Cast) -> None:
        program_of(cast.operator)
        other = ApiToken.objects.get(user=cast.operator)

        assert program_of(cast.member).delete(f"/api/v1/me/tokens/{other.pk}").status_code == 404

    def test_a_session_needs_the_csrf_token(self, cast: Cast) -> None:
        client = Client(enforce_csrf_checks=True, headers={"x-forwarded-proto": "https"})
        client.force_login(cast.member)

        assert client.get("/api/v1/me").status_code == 200
        assert client.post("/api/v1/me/tokens", {"name": "x"}, JSON).status_code == 403

    def test_nobody_is_refused(self, db: None) -> None:
        assert Client(headers={"x-forwarded-proto": "https"}).get("/api/v1/me").status_code == 401


class TestPeople:
    def test_are_added_changed_and_listed(self, cast: Cast, program: Client) -> None:
        body = {"username": "ada", "password": PASSWORD, "role": "auditor"}
        ada = program.post("/api/v1/people", body, JSON)
        assert ada.status_code == 201

        change = {"role": "operator", "is_active": False}
        assert program.put(f"/api/v1/people/{ada.json()['id']}", change, JSON).json()["is_active"] is False
        assert program.get("/api/v1/people?limit=2").json()["count"] == 7

    def test_a_problem_names_its_field(self, program: Client) -> None:
        answer = program.post("/api/v1/people", {"username": "operator", "password": PASSWORD}, JSON)

        assert answer.status_code == 422
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["field"] == "username"

    @pytest.mark.parametrize("name", ["operator", "auditor", "lead", "stranger"])
    def test_are_nobody_elses_business(self, cast: Cast, name: str) -> None:
        program = program_of(cast.people()[name])
        body = {"username": "eve", "password": PASSWORD, "role": "superuser"}

        assert program.get("/api/v1/people").status_code == 403
        assert program.post("/api/v1/people", body, JSON).status_code == 403
        assert program.get("/api/v1/teams").status_code == 403
        assert not User.objects.filter(username="eve").exists()

    @pytest.mark.parametrize("query", ["offset=99999999999999999999", "offset=-1", "limit=1000000"])
    def test_are_listed_in_parts_that_the_database_can_count_to(self, program: Client, query: str) -> None:
        assert program.get(f"/api/v1/people?{query}").status_code == 422
        assert program.get(f"/api/v1/operations?{query}").status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("me/tokens", '{"name": "a\\u0000b"}'),
        ("me/tokens", '{"name": "a\\nb"}'),
        ("teams", '{"name": "a\\u0000b"}'),
        ("people", '{"username": "eve", "password": "\\ud800 horse battery"}'),
    ],
)
def test_text_that_no_database_takes_is_refused(program: Client, path: str, body: str) -> None:
    assert program.post(f"/api/v1/{path}", body, JSON).status_code == 422


class TestTeams:
    def test_live_from_first_to_last(self, cast: Cast, program: Client) -> None:
        team = program.post("/api/v1/teams", {"name": "red"}, JSON).json()
        members = f"/api/v1/teams/{team['id']}/members"

        added = program.put(members, {"user_id": cast.stranger.pk, "role": "team_lead"}, JSON)
        assert added.json()["username"] == "stranger"
        assert Membership.objects.get(user=cast.stranger).role == Role.TEAM_LEAD
        assert (
            program.put(members, {"user_id": cast.stranger.pk, "role": "operator"}, JSON).status_code == 422
        )
        assert program.delete(f"{members}/{cast.stranger.pk}").status_code == 204
        assert program.delete(f"/api/v1/teams/{team['id']}").status_code == 204
