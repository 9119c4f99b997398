"""`bin/panel check`, `test`, `bench`, `lab` and `manage`: what people who work on the panel run."""

import os
import shlex
import subprocess
import time
from collections.abc import Sequence

from launcher import frontend, packages, python, secrets
from launcher.layout import Layout
from launcher.say import LauncherError, say

# Half of what the tests take is waiting: for a lease to run out, for a silent host to be given up (decision 0088).
TEST_WORKERS_PER_CPU = 3
MOST_TEST_WORKERS = 8


def manage(layout: Layout, arguments: Sequence[str]) -> int:
    """Run `manage.py` with the panel's own Python and settings."""
    _need_python(layout)
    return _python(layout, ["manage.py", *arguments])


def check(layout: Layout) -> int:
    """Run every check that needs no running panel; each is named with its outcome. Returns 0 where all pass."""
    packages.ensure([*packages.BUILD, *packages.PARTS])
    _ready_to_develop(layout)
    failed = [name for name, argv in _checks(layout).items() if not _passes(layout, name, argv)]
    say("\nAll checks pass." if not failed else f"\nFailed: {', '.join(failed)}")
    return 1 if failed else 0


def test(layout: Layout, arguments: Sequence[str]) -> int:
    """Run pytest with `arguments`, as they are. Without any: everything, first on SQLite, then what touches the
    database on PostgreSQL (tests/turns.py), both shared among several workers (tests/schedule.py).
    """
    _ready_to_test(layout)
    pytest = ["-m", "pytest"]
    if arguments:
        return _python(layout, [*pytest, *arguments])
    shared = [*pytest, "-n", str(min(TEST_WORKERS_PER_CPU * (os.cpu_count() or 1), MOST_TEST_WORKERS))]
    say("\nAll tests, on SQLite")
    on_sqlite = _python(layout, shared, PANEL_TEST_TURN="sqlite")
    say("\nTests that touch the database, on PostgreSQL")
    on_postgresql = _python(layout, shared, PANEL_TEST_TURN="postgresql", PANEL_TEST_DATABASE="postgresql")
    for database, status in {"SQLite": on_sqlite, "PostgreSQL": on_postgresql}.items():
        say(f"on {database}: {'FAILED' if status else 'ok'}")
    return on_sqlite or on_postgresql


def bench(layout: Layout, arguments: Sequence[str]) -> int:
    """Run one benchmark, or list them."""
    modules = [module.stem for module in (layout.root / "benchmarks").glob("*.py")]
    # Helpers live beside them: `report`, and `NAME_…` for the benchmark NAME.
    names = sorted(name for name in modules if "_" not in name and name != "report")
    if not arguments:
        say("Benchmarks: " + ", ".join(names))
        return 0
    if arguments[0] not in names:
        raise LauncherError(f"There is no benchmark {arguments[0]!r}; there are: {', '.join(names)}.")
    _ready_to_test(layout)
    return _python(layout, ["-m", f"benchmarks.{arguments[0]}", *arguments[1:]])


def lab(layout: Layout, arguments: Sequence[str]) -> int:
    """Build, break and end hosts to try things on; its own help tells how."""
    if {"-h", "--help"} & set(arguments):
        _need_python(layout)
    elif os.geteuid() == 0:
        packages.ensure([*packages.BUILD, *packages.HYPERVISOR, *packages.LAB])
        _ready_to_develop(layout)
    else:
        command = shlex.join(["bin/panel", "lab", *arguments])
        raise LauncherError(
            f"The lab makes namespaces and network interfaces, which needs root. Run:\n\n    sudo {command}\n"
        )
    return _python(layout, ["-m", "tests.lab", *arguments])


def _need_python(layout: Layout) -> None:
    if not layout.python.exists():
        raise LauncherError("There is no Python environment yet. Make it with: bin/panel up")


def _ready_to_develop(layout: Layout) -> None:
    python.ensure(layout, python.DEVELOP)
    layout.make_folders()
    secrets.ensure(layout.secrets)  # the settings can't be read without them


def _ready_to_test(layout: Layout) -> None:
    wanted = [*packages.BUILD, *packages.PARTS, *packages.REDIS, *packages.HYPERVISOR]
    packages.ensure([*wanted, *packages.LAB, *packages.TESTS])
    _ready_to_develop(layout)
    frontend.ensure(layout)


def _checks(layout: Layout) -> dict[str, list[str]]:
    tool = layout.venv / "bin"
    return {
        "format": [f"{tool}/ruff", "format", "--check", "."],
        "lint": [f"{tool}/ruff", "check", "."],
        "types": [f"{tool}/mypy", "."],
        "imports": [f"{tool}/lint-imports"],
        "templates": [f"{tool}/djlint", "--lint", "--quiet", "templates"],
        "migrations": [f"{tool}/python", "manage.py", "makemigrations", "--check", "--dry-run"],
        "house rules": [f"{tool}/pytest", "-q", "tests/test_architecture.py", "tests/test_docs.py"],
    }


def _passes(layout: Layout, name: str, argv: Sequence[str]) -> bool:
    began = time.monotonic()
    finished = subprocess.run(
        argv,
        cwd=layout.root,
        env=layout.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    outcome = "FAILED" if finished.returncode else "ok"
    say(f"{name:<12} {outcome:<7} {time.monotonic() - began:5.1f} s")
    if finished.returncode:
        say(finished.stdout)
    return not finished.returncode


def _python(layout: Layout, arguments: Sequence[str], **settings: str) -> int:
    """Run the panel's Python with the terminal as it is; returns its exit status."""
    environment = {**layout.environment(), **settings}
    with subprocess.Popen([layout.python, *arguments], cwd=layout.root, env=environment) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue  # the child got it too and ends in its own way
