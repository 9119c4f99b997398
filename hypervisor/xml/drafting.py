"""A definition that a person typed, made into one that libvirt may be given."""

from uuid import UUID

from hypervisor.errors import Invalid
from hypervisor.xml.elements import document, serialize
from hypervisor.xml.parse import uuid_of
from hypervisor.xml.secrets import Secrets


def completed(typed: str, *, known: tuple[str, ...], uuid: UUID, name: str) -> str:
    """`typed`, with the secrets that placeholders stand for: those of `known`, in the order in which they were hidden.

    Raises `Malformed` and `Invalid`: for what is no definition, or that of another machine.
    """
    root = document(typed)
    if root.tag != "domain":
        raise Invalid("This is no definition of a virtual machine: its first element is not <domain>.")
    if not (root.findtext("uuid") or "").strip():
        raise Invalid(f"The definition has no UUID: that of this machine is {uuid}.")
    if uuid_of(root) != uuid:
        raise Invalid(f"The definition has another UUID: that of this machine is {uuid}.")
    if (root.findtext("name") or "").strip() != name:
        raise Invalid(
            f"The definition has another name: this machine is called {name}. Rename it on its page."
        )
    secrets = Secrets()
    for xml in known:
        secrets.hide(xml)
    return secrets.restore(typed)


def same(one: str, other: str) -> bool:
    """Whether two documents say the same in the same order."""
    return serialize(document(one)) == serialize(document(other))
