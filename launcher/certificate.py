"""The TLS certificate: self-signed until someone puts a real one into its place."""

import ipaddress
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from launcher import commands
from launcher.say import say

# Apple's clients refuse leaves that live longer than 825 days (support.apple.com/103769).
LIFETIME_DAYS = 825
RENEW_BEFORE_SECONDS = 90 * 86400
# Tells a certificate of ours, which we renew, from one that was put there, which we leave alone.
ISSUER = "KVM Panel self-signed"
SELF_SIGN = ("openssl", "req", "-x509")


def ensure(folder: Path, names: Sequence[str]) -> None:
    """Leave panel.crt and panel.key (0600) in `folder`, good for all of `names` for the next 90 days at least."""
    certificate, key = folder / "panel.crt", folder / "panel.key"
    if certificate.exists() and key.exists() and not _must_be_renewed(certificate, names):
        return
    with tempfile.TemporaryDirectory(dir=folder) as scratch:  # made with mode 0700
        new_certificate, new_key = Path(scratch, "crt"), Path(scratch, "key")
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        life = ["-days", str(LIFETIME_DAYS), "-subj", f"/O={ISSUER}/CN={names[0][:64]}"]
        uses = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"]
        whom = ["-addext", "subjectAltName=" + ",".join(_alternative_name(name) for name in names)]
        files = ["-keyout", str(new_key), "-out", str(new_certificate)]
        commands.ask([*SELF_SIGN, *kind, *life, *uses, *whom, *files], what="Making the certificate")
        new_key.chmod(0o600)
        new_key.replace(key)
        shutil.move(new_certificate, certificate)
    say(f"* Made a self-signed certificate for {', '.join(names)}; a browser asks once whether to trust it")


def _must_be_renewed(certificate: Path, names: Sequence[str]) -> bool:
    about = commands.ask(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-issuer", "-ext", "subjectAltName"],
        what=f"Reading {certificate}",
    )
    if ISSUER not in about:
        return False
    lasts = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-checkend", str(RENEW_BEFORE_SECONDS)],
        capture_output=True,
        check=False,
    )
    covered = {entry.strip().partition(":")[2] for entry in about.splitlines()[-1].split(",")}
    return lasts.returncode != 0 or not covered.issuperset(names)


def _alternative_name(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"
