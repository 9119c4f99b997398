"""Keys of SSH: what a host shows, and what the panel makes for itself."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# The kinds of host key that are taken, the best first (names as in known_hosts).
KINDS: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A host's public key, as it stands in known_hosts."""

    kind: str
    base64: str

    @classmethod
    def parse(cls, text: str) -> HostKey:
        """From "KIND BASE64". Raises ValueError."""
        kind, _, encoded = text.strip().partition(" ")
        base64.b64decode(encoded, validate=True)
        if kind not in KINDS or not encoded:
            raise ValueError("not a host key")
        return cls(kind=kind, base64=encoded)

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: SHA256:… (RFC 6234, base 64 without padding)."""
        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.kind} {self.base64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A key pair in OpenSSH's formats; `public` is one line, as authorized_keys wants it."""

    private: str
    public: str


def generate_key_pair(comment: str) -> KeyPair:
    """A fresh Ed25519 pair without a passphrase."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private=private.decode(), public=f"{public.decode()} {comment}")
