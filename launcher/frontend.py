"""The front end's packages: exactly what package-lock.json names, fetched again only when it changes."""

import hashlib
import os
import shutil
from pathlib import Path

from launcher import commands, python
from launcher.layout import Layout
from launcher.say import step


def ensure(layout: Layout) -> None:
    """Leave node_modules as the lock file says. Their install scripts are never run: we only want their files."""
    lock = layout.root / "package-lock.json"
    stamp = layout.root / "node_modules" / ".installed"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    npm = _npm(layout)
    path = f"{npm.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # npm finds its node there
    with step("Fetching the front end's packages"):
        commands.ask(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            env={**os.environ, "PATH": path},
            cwd=layout.root,
            what="Fetching the front end's packages",
        )
    stamp.write_text(digest)


def _npm(layout: Layout) -> Path:
    """The machine's own npm, or one from PyPI in .venv: Debian's package would bring 400 others with it."""
    found = shutil.which("npm")
    if found:
        return Path(found)
    python.ensure(layout, python.NODE)
    return layout.venv / "bin" / "npm"
