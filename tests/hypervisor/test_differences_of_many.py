"""Over a thousand documents: what is the same is no difference, and nothing that changes is left unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from lxml import etree

from hypervisor.xml.differences import differences
from hypervisor.xml.elements import document, serialize
from hypervisor.xml.leaves import carries
from hypervisor.xml.policy import objections
from hypervisor.xml.secrets import Secrets
from tests.hypervisor import corpus


@cache
def domains() -> dict[str, str]:
    found = {file: xml for file, xml in corpus.documents().items() if document(xml).tag == "domain"}
    assert len(found) > 1000
    return found


def canonical(xml: str) -> bytes:
    return etree.tostring(document(xml), method="c14n")


def without_each_device(xml: str) -> Iterator[str]:
    """The document without its first device, and without its last."""
    for position in (0, -1):
        root = document(xml)
        devices = root.findall("devices/*")
        if devices:
            devices[position].getparent().remove(devices[position])  # type: ignore[union-attr]
            yield serialize(root)


def test_a_document_does_not_differ_from_itself() -> None:
    for file, xml in domains().items():
        again = serialize(document(xml))
        assert differences(xml, again) == [], file
        assert objections(xml, again, pools={}) == [], file


def test_secrets_come_back_as_they_were() -> None:
    for file, xml in domains().items():
        secrets = Secrets()
        assert canonical(secrets.restore(secrets.hide(xml))) == canonical(xml), file


def some() -> list[tuple[str, str]]:
    """Every fifth: what is asked of these takes longer."""
    return list(domains().items())[::5]


def test_what_is_new_is_told() -> None:
    for file, xml in some():
        root = document(xml)
        root.append(etree.Element("brandnew"))
        changed = serialize(root)
        assert differences(xml, changed) == ["brandnew added"], file
        assert carries(xml, changed, changed), file
        assert not carries(xml, changed, xml), file


def test_a_device_that_is_gone_is_told() -> None:
    for file, xml in some():
        for less in without_each_device(xml):
            assert differences(xml, less) != [], file
