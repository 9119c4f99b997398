"""What the documents say is so: settings, commands and links."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from kvmpanel.env import Environment
from launcher.__main__ import parser
from launcher.layout import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:|#)([^)#\s]+)")
COMMAND = re.compile(r"bin/panel ([a-z]+)")


def named_settings() -> set[str]:
    """The variables in the first column of the table of settings."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    return set(rows)


def commands() -> set[str]:
    """What `bin/panel` knows."""
    actions = parser()._actions
    return {
        name
        for action in actions
        if isinstance(action, argparse._SubParsersAction)
        for name in action.choices
    }


class TestSettings:
    def test_each_one_stands_in_the_table_and_no_other(self) -> None:
        assert named_settings() == {str(field.alias) for field in Environment.model_fields.values()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
class TestDocument:
    def test_links_lead_to_files(self, document: Path) -> None:
        links = LINK.findall(document.read_text())

        assert [link for link in links if not (document.parent / link).exists()] == []

    def test_names_commands_that_exist(self, document: Path) -> None:
        assert set(COMMAND.findall(document.read_text())) <= commands()
