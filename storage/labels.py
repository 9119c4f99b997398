"""What people may call a volume, and what a file they bring is called."""

from __future__ import annotations

import unicodedata

from core.errors import InvalidInput

MAX_LABEL = 200
RULE = f"Give 1 to {MAX_LABEL} characters in one line."


def checked(label: str, *, field: str) -> str:
    """`label` without spaces around it. Raises InvalidInput where it can't be shown as one line."""
    label = label.strip()
    if not label or len(label) > MAX_LABEL or any(_invisible(character) for character in label):
        raise InvalidInput("This name can't be used.", field=field, fix=RULE)
    return label


def from_filename(filename: str) -> str:
    """The last part of a path from anywhere, in one line, cut at its middle where too long; never empty."""
    last = filename.replace("\\", "/").rstrip("/").rpartition("/")[2]
    clean = "".join(character for character in last if not _invisible(character)).strip()
    if len(clean) > MAX_LABEL:
        clean = clean[: MAX_LABEL - 21] + "…" + clean[-20:]
    return clean if clean.strip(".") else "unnamed"


def _invisible(character: str) -> bool:
    """Control, format (right-to-left override and the like), surrogate and line separators: Unicode's C*, Zl, Zp."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
