"""The only writer of what was observed of a host's PCI and USB devices."""

from __future__ import annotations

from typing import Any

from core.events import publish
from core.reconcile import reconcile
from hosts.models import Host, HostDevice
from hypervisor.device_facts import HostDeviceFacts


def record_devices(host: Host, facts: list[HostDeviceFacts]) -> None:
    """All devices of `host`, as it told them just now; one that is missing is marked as gone."""
    changes = reconcile(
        HostDevice.objects.filter(host=host),
        {fact.name[:128]: fact for fact in facts},
        key="name",
        columns=_columns,
        fixed={"host": host},
    )
    if changes:
        publish("host", host.uuid)


def _columns(fact: HostDeviceFacts, row: HostDevice | None) -> dict[str, Any]:
    return {
        "kind": fact.kind.value,
        "address": fact.address[:64],
        "vendor_id": fact.vendor_id[:8],
        "product_id": fact.product_id[:8],
        "vendor": fact.vendor[:128],
        "product": fact.product[:128],
        "pci_class": fact.pci_class[:8],
        "driver": fact.driver[:64],
        "iommu_group": fact.iommu_group,
        "iommu_members": list(fact.iommu_members),
        "holds": list(fact.holds),
    }
