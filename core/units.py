"""Sizes as people write and read them. Bytes are int; MiB and GiB are powers of 1,024 (IEC 80000-13)."""

MIB = 1024**2
GIB = 1024**3
TIB = 1024**4


def human_bytes(count: int) -> str:
    """1536 → "1.5 KiB"; three significant digits at most."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.3g} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def human_mib(count: int) -> str:
    """2048 → "2 GiB"."""
    return human_bytes(count * MIB)


def human_kib(count: int) -> str:
    """2048 → "2 MiB"."""
    return human_bytes(count * 1024)


def human_since(seconds: float) -> str:
    """75 → "1 min ago"; one unit, rounded down. `static/js/times.js` says the same words."""
    if seconds < 2:
        return "just now"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    raise AssertionError("unreachable")


def human_duration(seconds: float) -> str:
    """3.42 → "3.4 s", 75 → "1 min 15 s"; two units at most."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
    parts = [
        (whole % before // size, name)
        for before, (name, size) in zip([10**12, 86_400, 3_600, 60], units, strict=True)
    ]
    first = next(i for i, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count)
