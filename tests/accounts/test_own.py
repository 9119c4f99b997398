"""One's own account: password, theme, tokens."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken, User
from audit.models import Entry
from tests.conftest import PASSWORD, Cast, browser_of

NEW = "another horse battery"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD)


class TestPassword:
    def test_is_changed_and_other_logins_end(self, ada: User) -> None:
        here, elsewhere = browser_of(ada), browser_of(ada)

        answer = here.post("/account/password", {"old_password": PASSWORD, "password": NEW})

        assert answer.headers["Location"] == "/account/"
        ada.refresh_from_db()
        assert ada.check_password(NEW)
        assert here.get("/").status_code == 200
        assert elsewhere.get("/").status_code == 302
        assert Entry.objects.filter(verb="account.change_password", actor=ada).exists()

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("wrong", NEW, "not your current password"),
            (PASSWORD, "short", "too short"),
            (PASSWORD, "1234567890123", "entirely numeric"),
            (PASSWORD, "", "required"),
        ],
    )
    def test_is_refused_beside_the_field(self, ada: User, old: str, new: str, words: str) -> None:
        answer = browser_of(ada).post("/account/password", {"old_password": old, "password": new})

        assert answer.status_code == 422
        assert words in answer.content.decode()
        ada.refresh_from_db()
        assert ada.check_password(PASSWORD)


class TestTheme:
    def test_is_on_the_next_page(self, ada: User) -> None:
        client = browser_of(ada)

        assert client.post("/account/theme", {"theme": "dark"}).status_code == 204
        assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()

    def test_refuses_what_is_none(self, ada: User) -> None:
        assert browser_of(ada).post("/account/theme", {"theme": '"><script>'}).status_code == 422

    def test_refuses_get(self, ada: User) -> None:
        assert browser_of(ada).get("/account/theme").status_code == 405


def call(token: str) -> int:
    headers = {"authorization": f"Bearer {token}", "x-forwarded-proto": "https"}
    return Client(headers=headers).get("/api/v1/me").status_code


class TestTokens:
    def make(self, client: Client, name: str = "backup", days: str = "90") -> str:
        page = client.post("/account/tokens", {"name": name, "days": days}).content.decode()
        found = re.search(r"<code>(kvmp_[\w-]+)</code>", page)
        assert found is not None
        return found[1]

    def test_is_shown_once_and_works(self, ada: User) -> None:
        client = browser_of(ada)
        text = self.make(client)

        assert text not in client.get("/account/").content.decode()
        assert call(text) == 200
        assert ApiToken.objects.get().digest == ApiToken.hash(text)

    def test_the_page_with_it_is_kept_in_no_cache(self, ada: User) -> None:
        answer = browser_of(ada).post("/account/tokens", {"name": "x", "days": "30"})

        assert "no-store" in answer.headers["Cache-Control"]

    def test_ends_when_it_should(self, ada: User) -> None:
        text = self.make(browser_of(ada), days="30")
        token = ApiToken.objects.get()
        assert token.expires_at is not None
        assert abs(token.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)

        ApiToken.objects.update(expires_at=timezone.now())

        assert call(text) == 401

    def test_without_an_end(self, ada: User) -> None:
        self.make(browser_of(ada), days="0")

        assert ApiToken.objects.get().expires_at is None

    def test_is_refused_once_revoked(self, ada: User) -> None:
        client = browser_of(ada)
        text = self.make(client)

        client.post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke")

        assert call(text) == 401
        assert list(Entry.objects.order_by("pk").values_list("verb", flat=True)) == [
            "account.signed_in",
            "token.create",
            "token.revoke",
        ]

    def test_another_persons_does_not_exist(self, ada: User, cast: Cast) -> None:
        self.make(browser_of(ada))

        answer = browser_of(cast.stranger).post(f"/account/tokens/{ApiToken.objects.get().pk}/revoke")

        assert answer.status_code == 404
        assert ApiToken.objects.exists()

    def test_the_text_is_in_no_audit_row(self, ada: User) -> None:
        text = self.make(browser_of(ada))

        assert text not in str(Entry.objects.values_list())

    def test_dies_with_the_right_to_sign_in(self, ada: User) -> None:
        text = self.make(browser_of(ada))
        User.objects.update(is_active=False)

        assert call(text) == 401

    @pytest.mark.parametrize("header", ["Bearer ", "Bearer x", "Basic YTpi", "bearer"])
    def test_nonsense_is_refused(self, db: None, header: str) -> None:
        client = Client(headers={"authorization": header, "x-forwarded-proto": "https"})

        assert client.get("/api/v1/me").status_code == 401
