"""The words of tus 1.0.0: what headers say, and what is answered."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from core.errors import InvalidInput, PanelError

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,checksum,termination"
CHECKSUMS = ("sha256", "sha1")
BODY_TYPE = "application/offset+octet-stream"
CHECKSUM_MISMATCH = 460
MAX_SIZE = 2**63 - 1

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the sender."""

    status: int
    headers: Headers = field(default_factory=dict)
    body: bytes = b""


class Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, status: int, message: str, *, fix: str = "", field: str = "", **headers: str) -> None:
        super().__init__(message)
        problem = {"title": message, "status": status, "fix": fix}
        if field:
            problem["field"] = field
        all_headers = {"Content-Type": "application/problem+json"}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = Answer(status, all_headers, json.dumps(problem).encode())

    @classmethod
    def because(cls, error: PanelError) -> Refused:
        """The same words as everywhere. 409 and 423 mean "try again" to a tus client, so a conflict is a 422 here."""
        field = error.field if isinstance(error, InvalidInput) else ""
        status = 422 if error.status == 409 else error.status
        return cls(status, error.message, fix=error.fix, field=field)


def headers_of(scope: Any) -> Headers:
    """By lower-case name; of one that came twice, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def number(headers: Headers, name: str) -> int:
    """A non-negative integer from a header."""
    text = headers.get(name.lower(), "")
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > MAX_SIZE:
        raise Refused(400, f"{name} is not a number of bytes.")
    return int(text)


def metadata(headers: Headers) -> dict[str, str]:
    """The pairs of `Upload-Metadata`: keys, each with a value in base64 or alone, separated by commas."""
    pairs: dict[str, str] = {}
    for pair in filter(None, headers.get("upload-metadata", "").split(",")):
        key, _, value = pair.strip().partition(" ")
        try:
            # PostgreSQL takes no NUL in text.
            pairs[key] = base64.b64decode(value, validate=True).decode().replace("\0", "")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(400, f"Upload-Metadata: {key[:40]} is not base64 of UTF-8.") from None
    return pairs


class Checksum:
    """What `Upload-Checksum` promises of one request's body."""

    def __init__(self, algorithm: str, promised: bytes) -> None:
        self._sum = hashlib.new(algorithm, usedforsecurity=False)
        self._promised = promised

    @classmethod
    def of(cls, headers: Headers) -> Checksum | None:
        """None where the sender promised nothing."""
        text = headers.get("upload-checksum")
        if text is None:
            return None
        algorithm, _, value = text.partition(" ")
        if algorithm not in CHECKSUMS:
            raise Refused(400, f"Give a checksum of {' or '.join(CHECKSUMS)}.")
        try:
            return cls(algorithm, base64.b64decode(value, validate=True))
        except binascii.Error:
            raise Refused(400, "Upload-Checksum is not base64.") from None

    def update(self, block: bytes) -> None:
        """More of the body."""
        self._sum.update(block)

    def holds(self) -> bool:
        """Whether the whole body was as promised."""
        return self._sum.digest() == self._promised


def http_date(moment: datetime) -> str:
    """RFC 9110 §5.6.7."""
    return format_datetime(moment, usegmt=True)
