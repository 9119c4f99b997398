"""What people wrote on a machine: its title, description and tags. As `hypervisor.xml.edit`.

Tags stand in the panel's own element under `<metadata>`, and so outlive the panel.
"""

from collections.abc import Sequence
from typing import Final

from lxml import etree

from hypervisor.xml.elements import (
    MARKER_NAMESPACE,
    MARKER_PREFIX,
    MARKER_TAG,
    TAG_TAG,
    TAGS_TAG,
    Element,
    document,
    element,
    required,
    serialize,
    set_attribute,
    set_text,
)

# Where libvirt's own documents put these elements: each goes right behind the last of its predecessors.
_ORDER: Final = ("name", "uuid", "genid", "title", "description", "metadata")


def set_labels(xml: str, *, title: str, description: str, tags: Sequence[str]) -> str:
    """Another title and description, blank for none, and these tags. libvirt refuses a title of several lines."""
    root = document(xml)
    _set(root, "title", title)
    _set(root, "description", description)
    _set_tags(root, tags)
    return serialize(root)


def live_labels(xml: str) -> tuple[str, str, str]:
    """Title, description, and the panel's element as `virDomainSetMetadata` takes it, "" where there is none.

    libvirt puts the namespace in by itself.
    """
    root = document(xml)
    ours = root.find(f"metadata/{MARKER_TAG}")
    bare = "" if ours is None else serialize(_without_namespace(ours))
    return root.findtext("title") or "", root.findtext("description") or "", bare


def _set(root: Element, tag: str, text: str) -> None:
    label = root.find(tag)
    if label is None and text:
        label = _insert(root, tag)
    if label is not None and (label.text or "") != text:
        set_text(label, text)
    if label is not None and not text:
        root.remove(label)


def _set_tags(root: Element, tags: Sequence[str]) -> None:
    ours = root.find(f"metadata/{MARKER_TAG}")
    listed = None if ours is None else ours.find(TAGS_TAG)
    before = [] if listed is None else [tag.text or "" for tag in listed.iterfind(TAG_TAG)]
    if before == list(tags):
        return
    if root.find("metadata") is None:
        _insert(root, "metadata")
    if ours is None:
        ours = etree.SubElement(
            required(root, "metadata"), MARKER_TAG, nsmap={MARKER_PREFIX: MARKER_NAMESPACE}
        )
    if listed is None:
        listed = etree.SubElement(ours, TAGS_TAG)
    for stale in list(listed):
        listed.remove(stale)
    for tag in tags:
        set_text(etree.SubElement(listed, TAG_TAG), tag)


def _insert(root: Element, tag: str) -> Element:
    made = etree.Element(tag)
    before = _ORDER[: _ORDER.index(tag)]
    positions = [root.index(child) for child in root if child.tag in before]
    root.insert(max(positions, default=-1) + 1, made)
    return made


def _without_namespace(target: Element) -> Element:
    made = element(etree.QName(target).localname, text=(target.text or "").strip())
    for name, value in target.attrib.items():
        set_attribute(made, str(name), str(value))
    made.extend(_without_namespace(child) for child in target if isinstance(child.tag, str))
    return made
