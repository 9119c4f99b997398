"""What any room submits, a worker knows how to do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

from celery import current_app
from django.conf import settings

from accounts.permissions import Role, Verb, roles_with
from operations import procedures
from operations.rights import beyond_teams
from tests.test_architecture import ROOMS, functions


def submitted_kinds() -> Iterator[str]:
    """The kinds in the source; where one is put together, its constant beginning."""
    for room in ROOMS:
        for path in room.rglob("*.py"):
            for function in functions(path):
                yield from _kinds_in(function)


def _kinds_in(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "submit"
        ):
            continue
        kind = node.args[0] if node.args else None
        if isinstance(kind, ast.Constant):
            yield str(kind.value)
        elif isinstance(kind, ast.JoinedStr) and isinstance(kind.values[0], ast.Constant):
            yield str(kind.values[0].value)


def test_every_kind_that_is_submitted_has_a_procedure() -> None:
    current_app.loader.import_default_modules()
    known = procedures.kinds()
    submitted = set(submitted_kinds())
    assert "domain.create" in submitted
    assert [kind for kind in submitted if not any(name.startswith(kind) for name in known)] == []


def test_what_a_team_may_cancel_is_known_by_the_names_of_kinds() -> None:
    current_app.loader.import_default_modules()
    of_machines = [kind for kind in procedures.kinds() if kind.startswith("domain.")]
    for_leads = {kind for kind in of_machines if Role.TEAM_LEAD in roles_with(procedures.verb_of(kind))}

    assert for_leads == set(of_machines) - set(beyond_teams())
    assert {"domain.create", "domain.migrate"} <= set(of_machines) - for_leads
    assert [
        kind for kind in of_machines if kind in set(Verb) and procedures.verb_of(kind) != Verb(kind)
    ] == []


def test_the_web_process_loads_no_procedure() -> None:
    code = (
        "import kvmpanel.asgi; from operations import procedures; import sys;"
        "sys.exit(bool(procedures.kinds()) or 'hosts.connections' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", code], cwd=settings.BASE_DIR, check=False)
    assert finished.returncode == 0
