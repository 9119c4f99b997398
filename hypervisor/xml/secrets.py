"""What in a definition nobody is to read: passwords, cookies, and what is handed to the guest or to QEMU in private.

Whoever shows a definition shows it hidden, and whoever takes one back puts the secrets in again. libvirt itself gives
away `passwd` and cookies only when it is asked for them (`VIR_DOMAIN_XML_SECURE`); the rest it shows to all.
"""

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from hypervisor.errors import Invalid
from hypervisor.xml.elements import Element, document, serialize, set_attribute, set_text

QEMU_NAMESPACE: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
_QEMU_ENV: Final = f"{{{QEMU_NAMESPACE}}}env"
_QEMU_ARG: Final = f"{{{QEMU_NAMESPACE}}}arg"
_ATTRIBUTES: Final = frozenset({"passwd", "password"})
_ELEMENTS: Final = frozenset({"passwd", "password", "cookie", "secret"})
_TELLING: Final = re.compile("passw|secret", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"kept-secret-([1-9][0-9]{0,6})")


class Secrets:
    """Numbers the secrets of one machine's definitions: what is hidden by one of these can be put back by it.

    The same value has the same number in all documents, so a changed secret shows as a changed number.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def hide(self, xml: str) -> str:
        """The document with a placeholder for each secret."""
        return serialize(self.hidden(xml))

    def hidden(self, xml: str) -> Element:
        """The same as its root element."""
        root = document(xml)
        for place in _places(root):
            if place.value:
                number = self._numbers.setdefault(place.value, len(self._numbers) + 1)
                place.fill(f"kept-secret-{number}")
        return root

    def restore(self, xml: str) -> str:
        """The document with the secrets that were hidden. Raises `Invalid` for a placeholder that stands for none."""
        root = document(xml)
        values = list(self._numbers)
        for place in _places(root):
            found = _PLACEHOLDER.fullmatch(place.value)
            if found is not None:
                number = int(found[1])
                if number > len(values):
                    raise Invalid(f"“{found[0]}” stands for no secret of the definition in force.")
                place.fill(values[number - 1])
        return serialize(root)


def is_hidden(value: str) -> bool:
    """Whether a value stands in for a secret."""
    return _PLACEHOLDER.fullmatch(value) is not None


class _Place:
    """An attribute that holds a secret, or an element's text."""

    def __init__(self, element: Element, attribute: str | None = None) -> None:
        self._element = element
        self._attribute = attribute

    @property
    def value(self) -> str:
        if self._attribute is None:
            return self._element.text or ""
        return self._element.get(self._attribute, "")

    def fill(self, value: str) -> None:
        if self._attribute is None:
            set_text(self._element, value)
        else:
            set_attribute(self._element, self._attribute, value)


def _places(root: Element) -> Iterator[_Place]:
    for found in root.iter(etree.Element):
        for name in found.attrib:
            if etree.QName(name).localname in _ATTRIBUTES:
                yield _Place(found, str(name))
        if found.tag == _QEMU_ENV or (found.tag == _QEMU_ARG and _TELLING.search(found.get("value", ""))):
            yield _Place(found, "value")
        elif etree.QName(found).localname in _ELEMENTS or _is_for_the_guest(found):
            yield _Place(found)


def _is_for_the_guest(found: Element) -> bool:
    """Firmware configuration carries cloud-init's and Ignition's user data, OEM strings systemd's credentials."""
    parent = found.getparent()
    if found.tag != "entry" or parent is None:
        return False
    return parent.tag == "oemStrings" or parent.get("type") == "fwcfg"
