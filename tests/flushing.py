"""How a test that commits leaves its tables empty.

Django truncates all of them, on PostgreSQL a new file for each table and index, and tells every application that the
database was migrated, which writes permissions and content types anew: nothing here reads those. For the few rows of a
test that took up to half a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection
from django.db.models.signals import post_migrate


@pytest.fixture(scope="session", autouse=True)
def brief_flushes(monkeypatch_session: pytest.MonkeyPatch) -> None:
    """Empty them by DELETE, and tell nobody; foreign keys are checked at its commit, when all of them are empty."""
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    if connection.vendor == "postgresql":
        monkeypatch_session.setattr(connection.ops, "sql_flush", _deletes)


@pytest.fixture(scope="session")
def monkeypatch_session() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def _deletes(style: Any, tables: Sequence[str], **_: bool) -> list[str]:
    quote = connection.ops.quote_name
    # The tables are our own models'.
    return ["; ".join(f"DELETE FROM {quote(table)}" for table in tables)] if tables else []  # noqa: S608
