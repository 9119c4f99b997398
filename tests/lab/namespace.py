"""A piece of this machine that believes to be one of its own: Linux namespaces, held by one process.

Whatever runs inside ends with that process, and that process ends with the thread that started it: so a test that is
killed leaves nothing running behind.
"""

import contextlib
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

WAIT_S: Final = 60.0


class LabError(Exception):
    """The lab itself failed; the message holds what the failing program said."""


class Namespace:
    """The namespaces of one host (or one switch), known to everybody by the folder `root`.

    `kinds` are the options of unshare(1) and nsenter(1) for what isn't shared with the machine.
    """

    def __init__(self, root: Path, kinds: Sequence[str]) -> None:
        self._root = root
        self._kinds = list(kinds)
        self._holder: subprocess.Popen[bytes] | None = None

    def start(self, script: str, *arguments: str) -> None:
        """Run `script` with bash as its first process, and wait until that made the file `ready` in `root`.

        The script gets `root` and then `arguments`. It goes on for ever, and reaps: where nobody does, ending a guest
        takes 30 s. Raises LabError with what it said.
        """
        ready = self._root / "ready"
        for left in (ready, self._pid_file):
            left.unlink(missing_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._holder = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL",
                 "unshare", *self._kinds, "-f", "--kill-child", "--propagation", "private",
                 "bash", "-c", script, "lab-init", str(self._root), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        holder = self._holder
        wait_until(lambda: ready.exists() or holder.poll() is not None, "the namespace")
        if not ready.exists():
            raise LabError(f"No namespace: {self._log.read_text()}")
        self._pid_file.write_text(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().strip())

    def stop(self) -> None:
        """End it with all that runs inside. Only who started it can."""
        self._pid_file.unlink(missing_ok=True)
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait(timeout=30)
            self._holder = None

    @property
    def pid(self) -> int:
        """Its first process, as the machine numbers it; raises LabError unless it runs."""
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int(self._pid_file.read_text())
            if f"lab-init\0{self._root}\0".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        raise LabError(f"{self._root.name} is not up.")

    def command(self, *program: str) -> list[str]:
        """What to run on the machine so that `program` runs inside."""
        return ["nsenter", "-t", str(self.pid), *self._kinds, "-w/", "--", *program]

    def exec(self, *program: str, timeout_s: float = 60.0) -> str:
        """Run a program inside and return what it printed. Raises LabError if it fails, TimeoutExpired."""
        return run(self.command(*program), name=" ".join(program), timeout_s=timeout_s)

    @property
    def _pid_file(self) -> Path:
        return self._root / "pid"

    @property
    def _log(self) -> Path:
        return self._root / "log" / "init.log"


def run(command: Sequence[str], *, name: str = "", timeout_s: float = 60.0) -> str:
    """What `command` printed. Raises LabError with what it said if it fails, TimeoutExpired."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode:
        told = done.stderr or done.stdout
        raise LabError(f"{name or ' '.join(command)}: exit {done.returncode}: {told}")
    return done.stdout


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again; raises LabError after a minute."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"Waited {WAIT_S:.0f} s in vain for {what}.")
        time.sleep(0.02)
