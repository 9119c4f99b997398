"""What a machine's disks are called: `vda` and so on, as libvirt has it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from string import ascii_lowercase
from typing import Final

from domains.models import Domain
from hypervisor.specs import DiskBus

_PREFIXES: Final = {DiskBus.VIRTIO: "vd", DiskBus.SCSI: "sd", DiskBus.SATA: "sd"}


def free(domain: Domain, bus: DiskBus) -> str:
    """The first name on this bus that no disk or drive of the machine has, in this run or after its next start.

    libvirt takes it for the slot as well: of two SATA disks `sda` sits before `sdb`.
    """
    taken = {disk.target for disk in domain.disks.all()}
    return next(name for name in _names(_PREFIXES[bus]) if name not in taken)


def _names(prefix: str) -> Iterator[str]:
    for length in (1, 2, 3):
        for letters in product(ascii_lowercase, repeat=length):
            yield prefix + "".join(letters)
