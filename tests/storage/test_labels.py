from __future__ import annotations

import pytest

from core.errors import InvalidInput
from storage.labels import checked, from_filename


@pytest.mark.parametrize("label", ["", " ", "x" * 201, "a\nb", "a\x00b", "\u202ea", "\ud800", "a\u2028b"])
def test_labels_that_are_no_line_of_text_are_refused(label: str) -> None:
    with pytest.raises(InvalidInput):
        checked(label, field="label")


@pytest.mark.parametrize("label", ["data", "<b>", "../x", "Größe 中文", "x" * 200])
def test_anything_else_is_a_label(label: str) -> None:
    assert checked(f" {label} ", field="label") == label


def test_a_long_file_name_keeps_its_ending() -> None:
    assert from_filename("a" * 500 + ".iso").endswith(".iso")
    assert len(from_filename("a" * 500 + ".iso")) <= 200
