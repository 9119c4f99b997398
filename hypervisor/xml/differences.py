"""What differs between two definitions of one machine, in the field's words. Secrets are never among the words."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from hypervisor.xml.devices import Device, devices_of
from hypervisor.xml.elements import Element
from hypervisor.xml.leaves import Leaves, TooMuch, kib, leaves
from hypervisor.xml.secrets import Secrets, is_hidden

MOST_WORDS: Final = 200
TOO_MUCH: Final = "too much to tell"
_LONGEST_VALUE: Final = 200
# Comparing lines takes the square of their number: a host may define what it likes.
MOST_LINES: Final = 4000
_CONTEXT_LINES: Final = 3
_SPOKEN: Final = {
    "name": "name",
    "uuid": "UUID",
    "title": "title",
    "description": "description",
    "vcpu": "vCPUs",
    "vcpu@current": "vCPUs at start",
    "os/type@machine": "machine type",
    "os@firmware": "firmware",
    "cpu@mode": "CPU mode",
    "cpu/model": "CPU model",
    "clock@offset": "clock",
    "on_poweroff": "after it shuts down",
    "on_reboot": "after it reboots",
    "on_crash": "after it crashes",
}
_SIZES: Final = {"memory": "memory at most", "currentMemory": "memory at start"}
_TOLD_APART: Final = ("devices", *_SIZES)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the text: `mark` is "+", "-" or " ", or "@" for a place where lines were left out."""

    mark: str
    text: str


def differences(before: str, after: str) -> list[str]:
    """Each difference in a few words, at most MOST_WORDS of them; none where only the layout differs.

    A document that holds too much to be compared is told as TOO_MUCH. Raises `Invalid` for a document that is none.
    """
    secrets = Secrets()
    old, new = (secrets.hidden(xml) for xml in (before, after))
    words = chain(_sizes(old, new), _rest(old, new), _devices(old, new))
    try:
        found = list(islice(words, MOST_WORDS + 1))
    except TooMuch:
        return [TOO_MUCH]
    return found if len(found) <= MOST_WORDS else [*found[:MOST_WORDS], "and more"]


def line_differences(before: str, after: str) -> list[Line] | None:
    """The lines that differ with a few around them; None for documents that are too long to compare by lines."""
    secrets = Secrets()
    old, new = (secrets.hide(xml).splitlines() for xml in (before, after))
    if max(len(old), len(new)) > MOST_LINES:
        return None
    lines = islice(difflib.unified_diff(old, new, n=_CONTEXT_LINES, lineterm=""), 2, None)
    return [Line(line[0], "" if line[0] == "@" else line[1:]) for line in lines]


def _sizes(old: Element, new: Element) -> Iterator[str]:
    """Memory, in MiB where it comes out even."""
    values = {tag: (_size(old, tag), _size(new, tag)) for tag in _SIZES}
    if values["memory"] == values["currentMemory"]:
        values = {"memory": values["memory"]}
        words = {"memory": "memory"}
    else:
        words = _SIZES
    for tag, (was, now) in values.items():
        if was != now:
            yield f"{words[tag]}: {was} → {now}"


def _size(root: Element, tag: str) -> str:
    found = root.find(tag)
    if found is None:
        found = root.find("memory")  # without currentMemory all of it is there at start
    if found is None:
        return "none"
    size = kib(found)
    return f"{int(size) // 1024} MiB" if size.isdecimal() and int(size) % 1024 == 0 else f"{size[:40]} KiB"


def _rest(old: Element, new: Element) -> Iterator[str]:
    """All but devices and sizes."""
    yield from _changes(leaves(old, without=_TOLD_APART), leaves(new, without=_TOLD_APART))


def _devices(old: Element, new: Element) -> Iterator[str]:
    was, now = devices_of(old), devices_of(new)
    for key, device in was.items():
        other = now.get(key)
        if other is None:
            yield f"{device.title} removed{_about(device)}"
        elif device.leaves != other.leaves:
            yield from _device_changes(device, other)
    for key, device in now.items():
        if key not in was:
            yield f"{device.title} added{_about(device)}"


def _device_changes(was: Device, now: Device) -> Iterator[str]:
    old, new = dict(was.leaves), dict(now.leaves)
    if was.place != now.place and was.place_paths | now.place_paths:
        verb = "moved" if was.tag == "interface" else "changed"
        yield f"{was.title} {verb} from {was.place or 'nothing'} to {now.place or 'nothing'}"
        for path in was.place_paths | now.place_paths:
            old.pop(path, None)
            new.pop(path, None)
    address = {path for path in old.keys() | new.keys() if path.startswith("address")}
    if any(old.get(path) != new.get(path) for path in address):
        yield f"{was.title}: address changed"
    old, new = ({p: v for p, v in one.items() if p not in address} for one in (old, new))
    yield from (f"{was.title}: {words}" for words in _changes(old, new))


def _about(device: Device) -> str:
    return f" ({device.place})" if device.place else ""


def _changes(old: Leaves, new: Leaves) -> Iterator[str]:
    for path, value in old.items():
        if path not in new:
            yield f"{_spoken(path)} removed{_was(value)}"
        elif new[path] != value:
            yield _change(path, value, new[path])
    for path, value in new.items():
        if path not in old:
            yield f"{_spoken(path)} added{_was(value)}"


def _change(path: str, was: str, now: str) -> str:
    if is_hidden(was) or is_hidden(now) or "\n" in was + now:
        return f"{_spoken(path)} changed"
    return f"{_spoken(path)}: {_cut(was) or 'none'} → {_cut(now) or 'none'}"


def _was(value: str) -> str:
    return "" if not value or is_hidden(value) or "\n" in value else f" ({_cut(value)})"


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"


def _spoken(path: str) -> str:
    return _SPOKEN.get(path) or path.replace("/", " ").replace("@", " ").strip()
