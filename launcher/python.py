"""The panel's own Python environment: made once, filled from the pinned lists, refilled only when they change."""

import hashlib
import json
import sys
from pathlib import Path

from launcher import commands
from launcher.layout import Layout
from launcher.say import step

RUN = "requirements.txt"
DEVELOP = "requirements-dev.txt"  # names requirements.txt too
NODE = "requirements-node.txt"


def ensure(layout: Layout, requirements: str = RUN) -> None:
    """Leave .venv with all that `requirements` pins. Costs nothing where that has been done before."""
    if not _works(layout.venv):
        with step("Making the Python environment in .venv"):
            commands.show(
                [sys.executable, "-m", "venv", "--clear", layout.venv], what="Making the Python environment"
            )
    stamps = _stamps(layout.venv)
    digest = _digest(layout.root, requirements)
    if stamps.get(requirements) == digest:
        return
    with step(f"Installing Python packages from {requirements}"):
        pip = [str(layout.venv / "bin" / "pip"), "--disable-pip-version-check", "--no-input", "install"]
        commands.show_progress(
            [*pip, "--progress-bar", "off", "-r", requirements],
            cwd=layout.root,
            telling=("Collecting", "Building", "Installing"),
            what="Installing Python packages",
        )
    _stamp_file(layout.venv).write_text(json.dumps({**stamps, requirements: digest}))


def _works(venv: Path) -> bool:
    """Whether `venv` was made to the end, by a Python that is still there (an upgrade of Debian replaces it)."""
    try:
        lines = (venv / "pyvenv.cfg").read_text().splitlines()
    except FileNotFoundError:
        return False
    made_by = next((line.partition("=")[2].strip() for line in lines if line.startswith("executable")), "")
    return Path(made_by).is_file() and (venv / "bin" / "pip").exists()


def _stamp_file(venv: Path) -> Path:
    return venv / "installed.json"


def _stamps(venv: Path) -> dict[str, str]:
    """What was installed into `venv`: name of the list to its digest."""
    try:
        return dict(json.loads(_stamp_file(venv).read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _digest(root: Path, requirements: str) -> str:
    """Of the list and of the list it may name, so that a change in either is seen."""
    files = dict.fromkeys([RUN, requirements])
    return hashlib.sha256(b"".join((root / name).read_bytes() for name in files)).hexdigest()
