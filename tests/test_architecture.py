"""Rules of the house that a machine can check; `.importlinter` contracts in pyproject.toml check the arrows."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from django.forms import Form
from django.urls import get_resolver

from core import live
from tests import routes, schedule

ROOT = Path(__file__).parent.parent
MOST_LINES = 400
MOST_FUNCTION_LINES = 50

PACKAGES = sorted(path.parent for path in ROOT.glob("*/__init__.py"))
ROOMS = [package for package in PACKAGES if package.name not in ("tests", "benchmarks")]
SOURCES = [
    path
    for path in chain(ROOT.glob("*.py"), *(package.rglob("*.py") for package in PACKAGES))
    if "migrations" not in path.parts
]
SCRIPTS = sorted((ROOT / "static" / "js").glob("**/*.js"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))

# Methods, and properties that scripts rely on, of the HTML Standard's HTMLFormElement and what it inherits from Element
# and Node. (`name` and `target` are reflected strings that nothing here reads.)
OF_FORMS = """
action addEventListener after animate append appendChild attributes before blur checkValidity
childNodes children classList className click cloneNode closest contains dataset dispatchEvent
elements enctype firstChild focus getAttribute getElementsByTagName hasAttribute id innerHTML
insertBefore isConnected lastChild length matches method nextSibling nodeName nodeType normalize
outerHTML ownerDocument parentElement parentNode prepend previousSibling querySelector
querySelectorAll remove removeAttribute removeChild removeEventListener replaceChild replaceChildren
replaceWith reportValidity requestSubmit reset scrollIntoView setAttribute style submit tagName
textContent toggleAttribute
"""

# What a strict Content-Security-Policy would refuse, and what would turn data into markup or code.
FORBIDDEN_IN_TEMPLATES = {
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)", re.IGNORECASE),
    "an inline style": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "an inline handler": re.compile(r"\son[a-z]+\s*=|\shx-on\b", re.IGNORECASE),
    "a script address": re.compile(r"javascript:|=\s*['\"]js:", re.IGNORECASE),
    "unescaped data": re.compile(r"\|\s*safe\b|\{%\s*autoescape\s+off"),
    "a query": re.compile(r"\.objects\b"),
}
MARKUP = re.compile(r"</?[a-zA-Z][\w:-]*[\s/>]")
# The icon drawing is put together from the package in the lock file; everything else is built from elements.
MAY_WRITE_MARKUP = {"core/templatetags/panel.py"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def constants(node: ast.JoinedStr) -> list[str]:
    return [str(part.value) for part in node.values if isinstance(part, ast.Constant)]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_modules_are_short() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in [*SOURCES, *SCRIPTS]}
    assert {key: length for key, length in lengths.items() if length > MOST_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{name(path)}:{node.lineno}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in functions(path)
    }
    assert {key: length for key, length in lengths.items() if length > MOST_FUNCTION_LINES} == {}


def test_rooms_say_what_they_are_for() -> None:
    modules = {room.name: ast.parse((room / "__init__.py").read_text()) for room in ROOMS}
    assert [room for room, module in modules.items() if not ast.get_docstring(module)] == []


def test_packages_shadow_nothing() -> None:
    taken = set(importlib.metadata.packages_distributions()) | set(sys.stdlib_module_names)
    assert {package.name for package in PACKAGES} & taken == set()


def test_templates_hold_no_code() -> None:
    found = {
        (name(path), what)
        for path in TEMPLATES
        for what, pattern in FORBIDDEN_IN_TEMPLATES.items()
        if pattern.search(path.read_text())
    }
    assert found == set()


def test_no_field_hides_what_a_form_can_do() -> None:
    """A form's element `remove` stands in the browser for the form's own `remove()`, which scripts then can't call."""
    assert get_resolver().url_patterns  # every view is loaded, and so every form
    forms = [
        form for form in _all_subclasses(Form) if form.__module__.split(".")[0] in {r.name for r in ROOMS}
    ]
    assert len(forms) > 10
    hidden = {
        f"{form.__name__}.{name}" for form in forms for name in form.base_fields if name in OF_FORMS.split()
    }
    assert not hidden


def _all_subclasses(kind: type[Any]) -> set[type[Any]]:
    direct: list[type[Any]] = kind.__subclasses__()
    return {found for one in direct for found in (one, *_all_subclasses(one))}


def test_markup_is_built_from_elements() -> None:
    found = {
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] != "tests" and name(path) not in MAY_WRITE_MARKUP
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr) and MARKUP.search("…".join(constants(node)))
    }
    assert found == set()


def test_every_setting_in_the_code_is_documented() -> None:
    named = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    read = {
        variable
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] not in ("tests", "benchmarks")
        for variable in re.findall(r"[\"'](PANEL_[A-Z_]+)[\"']", path.read_text())
    }
    assert read - named == set()


def test_decisions_have_a_date_and_a_status() -> None:
    heads = {name(path): "\n".join(path.read_text().splitlines()[:6]) for path in DECISIONS}
    head = re.compile(r"^Date: 20\d\d-\d\d-\d\d · Status: (proposed|accepted|superseded)", re.MULTILINE)
    assert [key for key, text in heads.items() if not head.search(text)] == []


def test_the_schedule_names_tests_that_exist() -> None:
    assert [
        path
        for path in (*schedule.LONG, *schedule.ALONE, schedule.APART, schedule.WALK)
        if not (ROOT / path).exists()
    ] == []


class TestRouteTable:
    """Who may do what stands in `tests/routes.py`; `tests/test_routes.py` tries each line of it."""

    def test_lists_every_page(self) -> None:
        assert routes.page_names(get_resolver()) == {key.split()[1] for key in routes.PAGES}

    def test_lists_every_rest_call(self) -> None:
        assert routes.rest_calls() == set(routes.REST)

    def test_lists_every_live_topic(self) -> None:
        assert set(live.topics()) == set(routes.TOPICS)
