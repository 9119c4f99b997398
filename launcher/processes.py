"""What a tree of processes holds in memory, read from /proc (proc(5))."""

from collections import defaultdict
from pathlib import Path


def tree(root: int) -> list[int]:
    """`root` and every process below it."""
    children = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        children[int(fields[1])].append(int(entry.parent.name))
    found = [root]
    for process in found:
        found.extend(children[process])
    return found


def memory_mib(processes: list[int]) -> float:
    """Their proportional set size: memory shared with others is counted in parts. Other users' count nothing."""
    kib = 0
    for process in processes:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024
