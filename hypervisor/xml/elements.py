"""The few things that building, reading and editing share: the hardened parser, the writer, the panel's namespace."""

from typing import Final

from lxml import etree

from hypervisor.errors import Invalid

MARKER_NAMESPACE: Final = "urn:kvm-panel:domain:1"
MARKER_TAG: Final = f"{{{MARKER_NAMESPACE}}}domain"
MARKER_PREFIX: Final = "panel"
TAGS_TAG: Final = f"{{{MARKER_NAMESPACE}}}tags"
TAG_TAG: Final = f"{{{MARKER_NAMESPACE}}}tag"

DOCUMENT_LIMIT_BYTES: Final = 1024 * 1024

Element = etree._Element


class Malformed(Invalid):
    """A text that is no XML, and the place from where on it is none, both counted from 1."""

    def __init__(
        self,
        message: str,
        *,
        line: int = 0,
        column: int = 0,
        code: int | None = None,
        domain: int | None = None,
    ) -> None:
        super().__init__(message, code=code, domain=domain)
        self.line = line
        self.column = column


def document(text: str) -> Element:
    """The root of `text`, without comments and processing instructions: they would cut a value in two for its reader.

    libvirt joins what stands around them, and keeps none. Raises `Malformed`, and `Invalid` over 1 MiB or with a
    DOCTYPE (so without entities).
    """
    encoded = text.encode("utf-8", errors="surrogatepass")
    if len(encoded) > DOCUMENT_LIMIT_BYTES:
        raise Invalid("The document is over 1 MiB.")
    if b"<!DOCTYPE" in encoded:
        raise Invalid("A document with a DOCTYPE is not accepted.")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(encoded, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        message = f"The document is not well-formed XML: {error.msg}"
        raise Malformed(message, line=line, column=column) from error


def serialize(root: Element) -> str:
    """The document as libvirt takes it."""
    return etree.tostring(root, encoding="unicode", pretty_print=True, with_tail=False)


def element(
    tag: str, *children: Element, text: str = "", attributes: dict[str, str] | None = None
) -> Element:
    """A new element; `text` and attribute values are data, whatever they hold.

    Raises `Invalid` for characters that XML cannot carry at all.
    """
    made = etree.Element(tag)
    set_text(made, text)
    for name, value in (attributes or {}).items():
        set_attribute(made, name, value)
    made.extend(children)
    return made


def set_text(target: Element, text: str) -> None:
    """Replace the text of `target`; raises `Invalid` for characters that XML cannot carry."""
    try:
        target.text = text or None
    except ValueError as error:
        raise Invalid("The text holds characters that XML cannot carry.") from error


def set_attribute(target: Element, name: str, value: str) -> None:
    """Set one attribute; raises `Invalid` for characters that XML cannot carry."""
    try:
        target.set(name, value)
    except ValueError as error:
        raise Invalid("The value holds characters that XML cannot carry.") from error


def required(root: Element, path: str) -> Element:
    """The element at `path`; raises `Invalid` where there is none."""
    found = root.find(path)
    if found is None:
        raise Invalid(f"The document has no <{path}>.")
    return found


def integer(text: str | None) -> int:
    """0 for what is not a plain number of at most 19 digits."""
    stripped = (text or "").strip()
    digits = stripped.removeprefix("-")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 19:
        return 0
    return int(stripped)
