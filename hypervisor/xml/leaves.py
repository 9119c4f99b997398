"""A definition as a list of its values, each with its place: what comparing definitions is made of."""

from collections import Counter
from collections.abc import Collection
from typing import Final

from lxml import etree

from hypervisor.errors import Invalid
from hypervisor.xml.elements import Element, document

Leaves = dict[str, str]

# A host may define what it likes: each value is told with its whole path, so a small document can make gigabytes.
MOST_VALUES: Final = 20_000
LONGEST_PATH: Final = 400

# What tells siblings of one tag apart; the first that an element has is its name.
_NAMES: Final = ("name", "type", "index", "id", "dev", "bus", "port")
_SIZES: Final = frozenset({"memory", "currentMemory", "maxMemory"})
# As libvirt's documentation of `memory` has them, in bytes; without a unit it is KiB.
_UNITS: Final = {
    **dict.fromkeys(("b", "bytes"), 1),
    "KB": 10**3,
    **dict.fromkeys(("", "k", "KiB"), 2**10),
    "MB": 10**6,
    **dict.fromkeys(("M", "MiB"), 2**20),
    "GB": 10**9,
    **dict.fromkeys(("G", "GiB"), 2**30),
    "TB": 10**12,
    **dict.fromkeys(("T", "TiB"), 2**40),
}


class TooMuch(Invalid):
    """A document with too many values, or too long ways to them, to be compared."""


def leaves(root: Element, *, without: Collection[str] = ()) -> Leaves:
    """Attributes, texts and empty elements below `root`, as "path@attribute" or "path" with their values.

    Sizes of memory are in KiB, whatever their unit was; layout and comments don't count, nor do the children of `root`
    that are called like one of `without`. Raises `TooMuch` over MOST_VALUES or LONGEST_PATH.
    """
    if sum(1 + len(element.attrib) for element in root.iter(etree.Element)) > MOST_VALUES:
        raise TooMuch("The definition holds too much to be compared.")
    found: Leaves = {}
    _gather(root, "", found, without)
    return found


def carries(base: str, wanted: str, now: str) -> bool:
    """Whether all that `wanted` changes in `base` is so in `now`, which may differ from both in other ways.

    False for what is too much to be compared: nobody can say so then.
    """
    try:
        before, after, present = (leaves(document(xml)) for xml in (base, wanted, now))
    except TooMuch:
        return False
    changed = {path: value for path, value in after.items() if before.get(path) != value}
    dropped = before.keys() - after.keys()
    return all(present.get(path) == value for path, value in changed.items()) and not dropped & present.keys()


def kib(size: Element) -> str:
    """A size in KiB; as it stands where it is none."""
    text = (size.text or "").strip()
    unit = _UNITS.get(size.get("unit", ""))
    return str(int(text) * unit // 1024) if text.isascii() and text.isdecimal() and unit else text


def _gather(element: Element, path: str, found: Leaves, without: Collection[str] = ()) -> None:
    if len(path) > LONGEST_PATH:
        raise TooMuch("The definition holds too much to be compared.")
    is_size = element.tag in _SIZES
    for name, value in sorted(element.attrib.items()):
        if not (is_size and name == "unit"):
            found[f"{path}@{etree.QName(name).localname}"] = str(value)
    children = [child for child in element if isinstance(child.tag, str) and child.tag not in without]
    text = kib(element) if is_size else (element.text or "").strip()
    if text or not (children or element.attrib):
        found[path] = text
    for child, name in zip(children, _named(children), strict=True):
        _gather(child, f"{path}/{name}" if path else name, found)


def _named(children: list[Element]) -> list[str]:
    """Each child's tag, with what tells it from siblings of the same tag."""
    tags = [etree.QName(child).localname for child in children]
    several = Counter(tags)
    names = [
        f"{tag}[{_own_name(child)}]" if several[tag] > 1 else tag
        for tag, child in zip(tags, children, strict=True)
    ]
    seen: Counter[str] = Counter()
    for position, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[position] = f"{name}[{seen[name]}]"
    return names


def _own_name(child: Element) -> str:
    for place, attribute in (("target", "dev"), ("mac", "address"), ("target", "name")):
        inner = child.find(place)
        if inner is not None and inner.get(attribute):
            return str(inner.get(attribute))
    return next((str(child.get(name)) for name in _NAMES if child.get(name)), "")
