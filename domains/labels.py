"""What people write on a machine: how long a title may be, and what a tag is."""

from __future__ import annotations

from core.http import one_line

LONGEST_TITLE = 255
LONGEST_DESCRIPTION = 10_000
LONGEST_TAG = 64
MOST_TAGS = 32


def tags_of(text: str) -> list[str]:
    """The tags in a line of them, between commas: trimmed, each once, in their order; too many or too long stay so."""
    found = (one_line(part, most=LONGEST_TAG + 1) for part in text.split(","))
    return list(dict.fromkeys(tag for tag in found if tag))
