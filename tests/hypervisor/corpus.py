"""Domain documents as the world has them: those on which libvirt's own tests run, out of Debian's source package."""

from __future__ import annotations

import tarfile
from functools import cache
from pathlib import Path

from tests.lab import artifacts

_PART = "/tests/qemuxml2argvdata/"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SOURCE = f"deb-src [signed-by={_KEYRING}] http://deb.debian.org/debian bookworm main\n"


@cache
def documents() -> dict[str, str]:
    """Over a thousand of them by file name, fetched on first use (9 MB), then taken from the cache."""
    folder = artifacts.cached("libvirt-documents-1", _make)
    return {path.name: path.read_text() for path in sorted(folder.glob("*.xml"))}


def _make(folder: Path) -> None:
    """With package lists of its own: the machine's may name no sources."""
    scratch = folder.parent / "apt"
    (scratch / "lists" / "partial").mkdir(parents=True)
    (scratch / "sources.list").write_text(_SOURCE)
    places = {
        "Dir::Etc::SourceList": scratch / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": scratch / "lists",
        "Dir::Cache": scratch,
        "APT::Sandbox::User": "root",
    }
    options = [word for name, value in places.items() for word in ("-o", f"{name}={value}")]
    artifacts.run(["apt-get", "-q", *options, "update"])
    artifacts.run(["apt-get", "-q", *options, "source", "--download-only", "libvirt"], cwd=scratch)
    with tarfile.open(next(scratch.glob("*.orig.tar.xz"))) as archive:
        for member in archive:
            content = archive.extractfile(member) if _PART in member.name else None
            if content is not None and member.name.endswith(".xml"):
                (folder / Path(member.name).name).write_bytes(content.read())
