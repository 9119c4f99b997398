"""A machine's definitions, as if they had been seen one after the other."""

from __future__ import annotations

from accounts.models import User
from domains import versions
from domains.models import Domain, DomainDraft
from hypervisor.xml.parse import document_sha

DEFINITION = """\
<domain type="qemu">
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit="KiB">{memory_kib}</memory>
  <vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type="file" device="disk"><source file="/secret-path/a.qcow2"/><target dev="vda"/></disk>
    <graphics type="vnc" listen="127.0.0.1" passwd="hunter2"/>
  </devices>
</domain>
"""


def definition(domain: Domain, *, memory_mib: int) -> str:
    """Different for each size of memory."""
    return DEFINITION.format(name=domain.name, uuid=domain.uuid, memory_kib=1024 * memory_mib)


def seen(domain: Domain, xml: str) -> None:
    """The watcher has seen this definition, and kept it."""
    domain.xml_sha = document_sha(xml)
    domain.save(update_fields=["xml_sha"])
    versions.keep(domain.host, {domain.uuid: xml})
    domain.refresh_from_db()


def changed_beside(domain: Domain) -> None:
    """It was there, and somebody gave it more memory by virsh."""
    seen(domain, definition(domain, memory_mib=512))
    seen(domain, definition(domain, memory_mib=1024))


def draft_of(domain: Domain, author: User) -> DomainDraft:
    """Twice as much once more."""
    draft = DomainDraft(domain=domain, base=domain.versions.get(number=2), author=author)
    draft.xml = definition(domain, memory_mib=2048)
    draft.save()
    return draft
