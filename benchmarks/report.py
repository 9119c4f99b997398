"""What every benchmark says, in one form: tables, medians with their spread, memory, a last line of JSON."""

import json
import os
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Cell = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A set of samples in five numbers, in the samples' own unit."""

    count: int
    low: float
    median: float
    p95: float
    high: float

    def __str__(self) -> str:
        return f"{figure(self.median)} ({figure(self.low)} … {figure(self.high)})"


def spread(samples: Iterable[float]) -> Spread:
    """Summarise at least one sample; the 95th percentile is the nearest rank, never an interpolation."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("a spread needs at least one sample")
    rank = max(0, -(-95 * len(ordered) // 100) - 1)
    return Spread(
        count=len(ordered),
        low=ordered[0],
        median=statistics.median(ordered),
        p95=ordered[rank],
        high=ordered[-1],
    )


def figure(value: float) -> str:
    """A number with as many digits as a reader can use: 1,098 / 14.5 / 0.073."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3g}"


class Table:
    """Rows printed in aligned columns, the first to the left and the others to the right."""

    def __init__(self, title: str, *columns: str) -> None:
        self._title = title
        self._rows: list[Sequence[str]] = [columns]

    def row(self, *cells: Cell | Spread) -> None:
        """Add a row; numbers are shortened, a `Spread` shows its median and range."""
        if len(cells) != len(self._rows[0]):
            raise ValueError(f"{len(cells)} cells for {len(self._rows[0])} columns")
        self._rows.append([figure(cell) if isinstance(cell, int | float) else str(cell) for cell in cells])

    def print(self) -> None:
        """Write the table to standard output, with an empty line after it."""
        widths = [max(len(row[index]) for row in self._rows) for index in range(len(self._rows[0]))]
        say(self._title)
        for number, row in enumerate(self._rows):
            first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            say("  ".join([first.strip().ljust(widths[0]), *others]).rstrip())
            if number == 0:
                say("  ".join("-" * width for width in widths))
        say("")


def say(line: str) -> None:
    """Write one line to standard output at once, so that a long run shows its progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def finish(name: str, figures: Mapping[str, float]) -> None:
    """End a benchmark: the one line of JSON that a machine reads. Nothing may be written after it."""
    rounded = {key: round(value, 3) for key, value in figures.items()}
    say(json.dumps({"bench": name, "figures": rounded}))


def pss_kb(pid: int, *, children: bool = True) -> int:
    """Proportional memory of a process in kB, with all its descendants unless told otherwise.

    Source: `/proc/PID/smaps_rollup`. A process that ended meanwhile counts as 0.
    """
    family = {pid}
    if children:
        family |= _descendants(pid)
    return sum(_own_pss_kb(member) for member in family)


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process and all its descendants have used, those that ended included.

    Source: `/proc/PID/stat`, fields 14 to 17.
    """
    ticks = sum(_own_ticks(member) for member in {pid, *_descendants(pid)})
    return ticks / os.sysconf("SC_CLK_TCK")


def _own_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15]))


def _own_pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _descendants(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent(entry)
            if parent is not None:
                children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _parent(process: Path) -> int | None:
    """Parent of a process; its name may hold blanks and brackets, so fields are counted from the last `)`."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None
