"""A certificate authority for TLS hosts, and all the ways in which a certificate can be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEAR: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its key, both as PEM."""

    certificate: str
    key: str


class Authority:
    """One that signs. Two of them do not know each other, whatever they are called."""

    def __init__(self, name: str = "Lab") -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(self._name, self._key.public_key(), datetime.now(UTC) + _YEAR)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = _pem(builder.sign(self._key, hashes.SHA256()))

    def server(self, *names: str, expired: bool = False) -> Certificate:
        """For a host of these names and IP addresses."""
        return self._issue(names, ExtendedKeyUsageOID.SERVER_AUTH, expired=expired)

    def client(self, name: str = "panel", *, expired: bool = False) -> Certificate:
        """For somebody who calls."""
        return self._issue((name,), ExtendedKeyUsageOID.CLIENT_AUTH, expired=expired)

    def write_client(self, folder: Path) -> Path:
        """A folder as libvirt's `pkipath` wants it, for virsh; returns it."""
        folder.mkdir(parents=True, exist_ok=True)
        client = self.client("virsh")
        (folder / "cacert.pem").write_text(self.certificate)
        (folder / "clientcert.pem").write_text(client.certificate)
        (folder / "clientkey.pem").touch(mode=0o600)
        (folder / "clientkey.pem").write_text(client.key)
        return folder

    def _issue(self, names: tuple[str, ...], usage: x509.ObjectIdentifier, *, expired: bool) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        until = datetime.now(UTC) + (-timedelta(hours=1) if expired else _YEAR)
        builder = self._builder(subject, key.public_key(), until)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Certificate(certificate=_pem(builder.sign(self._key, hashes.SHA256())), key=private.decode())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(until - 2 * _YEAR).not_valid_after(until)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
