"""How many vCPUs of which kind a definition has, and how much memory. As `hypervisor.xml.edit`.

What is so already stays as it is written, so that the same change twice is one.
"""

from typing import Final

from lxml import etree

from hypervisor.errors import Invalid, Unsupported
from hypervisor.xml import options
from hypervisor.xml.elements import Element, document, element, required, serialize, set_attribute, set_text

_KIB_PER_MIB: Final = 1024
# The modes of `<cpu>`; any other word is the name of a model.
MODES: Final = ("host-passthrough", "host-model", "maximum")


def set_cpu(
    xml: str, *, vcpus: int, vcpus_max: int, cpu: str, sockets: int = 0, cores: int = 0, threads: int = 0
) -> str:
    """`vcpus` of at most `vcpus_max` at start, the CPU of that mode or model, and a topology or, by zeros, none.

    A blank `cpu` leaves it to QEMU. Raises `Invalid` for a topology that isn't that of the maximum.
    """
    if not 0 < vcpus <= vcpus_max:
        raise Invalid("A domain has at least one vCPU, and no more than its maximum.")
    if sockets * cores * threads not in (0, vcpus_max):
        raise Invalid("The topology has another number of vCPUs than the domain.")
    root = document(xml)
    _count(root, vcpus, vcpus_max)
    if options.cpu(root) != cpu:
        _model(root, cpu)
    if options.topology(root) != (sockets, cores, threads):
        _topology(root, {"sockets": sockets, "cores": cores, "threads": threads})
    found = root.find("cpu")
    if found is not None and not len(found) and not found.get("mode"):
        root.remove(found)
    return serialize(root)


def set_memory(xml: str, *, memory_mib: int, memory_max_mib: int) -> str:
    """`memory_mib` of at most `memory_max_mib` at start.

    Raises `Unsupported` where the memory is shared out among NUMA cells: libvirt adds those up instead.
    """
    if not 0 < memory_mib <= memory_max_mib:
        raise Invalid("A domain has at least 1 MiB of memory, and no more than its maximum.")
    root = document(xml)
    if (
        options.memory_mib(root.find("memory")) != memory_max_mib
        and root.find("cpu/numa/cell[@memory]") is not None
    ):
        raise Unsupported("Its memory is shared out among NUMA cells; the definition alone can change that.")
    now = root.find("currentMemory")
    if now is None and memory_mib != memory_max_mib:
        now = element("currentMemory")
        required(root, "memory").addnext(now)
    for size, mib in ((root.find("memory"), memory_max_mib), (now, memory_mib)):
        if size is not None and options.memory_mib(size) != mib:
            set_text(size, str(mib * _KIB_PER_MIB))
            set_attribute(size, "unit", "KiB")
    return serialize(root)


def _count(root: Element, vcpus: int, vcpus_max: int) -> None:
    vcpu = required(root, "vcpu")
    before = (vcpu.get("current"), vcpu.text)
    set_text(vcpu, str(vcpus_max))
    if vcpus == vcpus_max:
        vcpu.attrib.pop("current", None)
    else:
        set_attribute(vcpu, "current", str(vcpus))
    if before != (vcpu.get("current"), vcpu.text):
        for stale in root.findall("vcpus"):  # says of each of them whether it is there
            root.remove(stale)


def _model(root: Element, cpu: str) -> None:
    """The features that people asked for or against stay; what belongs to the old model goes."""
    found = root.find("cpu")
    if found is None:
        found = element("cpu")
        required(root, "vcpu").addnext(found)
    for name in ("mode", "match", "check", "migratable"):
        found.attrib.pop(name, None)
    own = ("model", "vendor") if cpu else ("model", "vendor", "feature", "maxphysaddr")
    for stale in [child for child in found if child.tag in own]:
        found.remove(stale)
    if cpu in MODES:
        set_attribute(found, "mode", cpu)
    elif cpu:
        set_attribute(found, "mode", "custom")
        set_attribute(found, "match", "exact")
        found.insert(0, element("model", text=cpu, attributes={"fallback": "forbid"}))


def _topology(root: Element, counts: dict[str, int]) -> None:
    found = root.find("cpu")
    if found is None:
        found = element("cpu")
        required(root, "vcpu").addnext(found)
    stale = found.find("topology")
    if stale is not None:
        found.remove(stale)
    if all(counts.values()):
        made = etree.Element("topology")
        for name, count in counts.items():
            set_attribute(made, name, str(count))
        behind = [found.index(child) for child in found if child.tag in ("model", "vendor")]
        found.insert(max(behind, default=-1) + 1, made)
