"""What is done to accounts from the server's command line is written down like all else."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import ApiToken, User
from accounts.permissions import Role
from audit.models import Entry
from tests.conftest import Cast


def said(*command: str) -> str:
    output = StringIO()
    call_command(*command, stdout=output)
    return output.getvalue().strip()


class TestFirstAdmin:
    def test_is_made_once_and_leaves_an_audit_row(self, db: None) -> None:
        told = json.loads(said("first_admin"))

        admin = User.objects.get()
        assert (told["username"], admin.role) == ("admin", Role.SUPERUSER)
        assert admin.check_password(told["password"])
        assert json.loads(said("first_admin")) == {"created": False}
        entry = Entry.objects.get()
        assert (entry.actor_name, entry.verb, entry.target_name) == ("panel", "account.create", "admin")
        assert Entry.objects.first_broken() is None


class TestApiToken:
    def test_signs_in_and_leaves_an_audit_row(self, cast: Cast) -> None:
        text = said("api_token", "operator", "backup")

        assert ApiToken.objects.get().digest == ApiToken.hash(text)
        assert Entry.objects.get().verb == "token.create"

    def test_is_refused_for_nobody(self, cast: Cast) -> None:
        with pytest.raises(CommandError, match="no active user"):
            said("api_token", "nobody", "backup")
