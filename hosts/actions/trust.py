"""What the panel knows a host by, and what it proves itself with. Secrets come in and never go out."""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from django.db import transaction
from django.utils import timezone

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from hosts import inventory, keys
from hosts.actions import check
from hosts.models import Credentials, Host

LONGEST_PEM: Final = 64 * 1024


@transaction.atomic
def confirm_host_key(*, host: Host, actor: User, fingerprint: str) -> None:
    """Trust the key that the host showed last, if it is the one of `fingerprint` that the person saw.

    Raises Forbidden, and Conflict where the host has shown another one since.
    """
    require(actor, Verb.HOST_MANAGE, host)
    known = Credentials.objects.unopened().select_for_update().filter(host=host).first()
    offered = known.offered_host_key if known else ""
    if known is None or not offered or keys.HostKey.parse(offered).fingerprint != fingerprint:
        raise Conflict(
            "The host shows another key by now.", fix="Check again, and compare the key that is shown then."
        )
    before = keys.HostKey.parse(known.host_key).fingerprint if known.host_key else ""
    known.host_key, known.offered_host_key = offered, ""
    known.save()
    audit.record(actor, "host.trust", target=host, fingerprint=fingerprint, before=before)
    inventory.note(host, "trusted", f"{actor} confirmed its key {fingerprint}.")
    _renewed(host, actor)


@transaction.atomic
def replace_key_pair(*, host: Host, actor: User) -> None:
    """Make a new key pair for the panel; until its public half is on the host, the panel can't sign in there."""
    require(actor, Verb.HOST_MANAGE, host)
    if not host.username:
        raise Conflict("The panel does not use SSH with this host.", fix="Give it a user first.")
    known, _ = Credentials.objects.unopened().select_for_update().get_or_create(host=host)
    pair = keys.generate_key_pair("kvm-panel")
    known.ssh_private_key, known.ssh_public_key = pair.private, pair.public
    known.save()
    audit.record(actor, "host.replace_key", target=host)
    inventory.note(host, "key", f"{actor} made a new key pair for the panel.")
    _renewed(host, actor)


@transaction.atomic
def set_certificates(*, host: Host, actor: User, ca: str, certificate: str, key: str) -> None:
    """Use these for TLS, all as PEM: the authority that signed the host's certificate, our certificate and its key.

    Raises Forbidden and InvalidInput.
    """
    require(actor, Verb.HOST_MANAGE, host)
    authorities = _certificates(ca, "ca")
    chain = _certificates(certificate, "certificate")
    ours = chain[0]
    if ours.not_valid_after_utc <= timezone.now():
        raise InvalidInput("This certificate has expired.", field="certificate")
    if _public_bytes(_key(key)) != _public_bytes(ours):
        raise InvalidInput("This key does not belong to the certificate.", field="key")
    known, _ = Credentials.objects.unopened().select_for_update().get_or_create(host=host)
    # Written anew: what was typed may hold a private key as well, and only `client_key` is sealed.
    known.ca_certificate, known.client_certificate = _as_pem(authorities), _as_pem(chain)
    known.client_key = key
    known.save()
    subject = ours.subject.rfc4514_string()[:200]
    audit.record(actor, "host.certificates", target=host, subject=subject)
    inventory.note(host, "certificates", f"{actor} gave new certificates.")
    _renewed(host, actor)


def _renewed(host: Host, actor: User) -> None:
    inventory.record_changed_access(host)
    check.soon(host, actor=actor)


def _certificates(text: str, field: str) -> list[x509.Certificate]:
    """At least one."""
    try:
        return x509.load_pem_x509_certificates(_pem(text, field).encode())
    except ValueError as error:
        raise InvalidInput("This is no certificate in PEM format.", field=field) from error


def _as_pem(certificates: list[x509.Certificate]) -> str:
    return "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in certificates)


def _key(text: str) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(_pem(text, "key").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(
            "This is no private key in PEM format, or it has a passphrase.", field="key"
        ) from error


def _pem(text: str, field: str) -> str:
    if not text.isascii() or len(text) > LONGEST_PEM:
        raise InvalidInput("This is not PEM.", field=field)
    return text


def _public_bytes(thing: x509.Certificate | PrivateKeyTypes) -> bytes:
    return thing.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
