"""What we make of a host's own description, and when we believe that it can do KVM."""

import pytest

from hypervisor.acceleration import AccelerationReason, decide
from hypervisor.errors import Invalid
from hypervisor.specs import Accelerator
from hypervisor.xml import host

CAPABILITIES = """
<capabilities>
  <host><uuid>6be913f5-1adb-47c2-92f0-bd72b0d86e7c</uuid>
    <cpu><arch>x86_64</arch><model>EPYC</model><vendor>AMD</vendor><feature name='hypervisor'/></cpu></host>
  <guest><arch name='i686'><machine>isapc</machine><domain type='kvm'/></arch></guest>
  <guest><arch name='x86_64'><machine>pc</machine><machine>q35</machine><machine>pc</machine>
    <domain type='qemu'/>{kvm}</arch></guest>
</capabilities>
"""


class TestCapabilities:
    def test_tell_what_the_host_is(self) -> None:
        found = host.host_capabilities(CAPABILITIES.format(kvm=""))

        assert str(found.uuid) == "6be913f5-1adb-47c2-92f0-bd72b0d86e7c"
        assert (found.cpu_arch, found.cpu_model, found.cpu_vendor) == ("x86_64", "EPYC", "AMD")
        assert found.machines == ("pc", "q35")
        assert host.cpu_features(found.cpu_xml) == {"hypervisor"}

    @pytest.mark.parametrize(("kvm", "offered"), [("", False), ("<domain type='kvm'/>", True)])
    def test_offer_kvm_for_the_host_s_own_architecture_only(self, kvm: str, *, offered: bool) -> None:
        assert host.host_capabilities(CAPABILITIES.format(kvm=kvm)).kvm_offered is offered

    def test_tell_the_numa_cells_and_what_was_set_aside_in_huge_pages(self) -> None:
        cell = (
            "<cell id='{}'><memory unit='KiB'>2097152</memory><pages unit='KiB' size='4'>500000</pages>"
            "<pages unit='KiB' size='2048'>{}</pages><cpus num='2'><cpu id='0'/><cpu id='1'/></cpus></cell>"
        )
        topology = f"<topology><cells>{cell.format(4, 10)}{cell.format(0, 0)}{cell.format(10**9, 1)}</cells></topology>"
        text = CAPABILITIES.format(kvm="").replace("</cpu></host>", f"</cpu>{topology}</host>")

        first, second = host.host_capabilities(text).cells

        assert (first.id, first.cpus, first.memory_mib, first.hugepages) == (0, 2, 2048, {})
        assert (second.id, second.hugepages) == (4, {2048: 10})

    def test_without_a_host_are_refused(self) -> None:
        with pytest.raises(Invalid):
            host.host_capabilities("<capabilities/>")

    def test_of_domains_tell_the_firmware(self) -> None:
        found = host.domain_capabilities(
            "<domainCapabilities><os supported='yes'><enum name='firmware'><value>efi</value></enum>"
            "<loader supported='yes'><enum name='secure'><value>no</value></enum></loader></os></domainCapabilities>"
        )

        assert found.firmwares == ("efi",)
        assert found.secure_boot is False


class TestVirtualizedBy:
    @pytest.mark.parametrize(
        ("manufacturer", "product", "name"),
        [
            ("VMware, Inc.", "VMware Virtual Platform", "VMware"),
            ("innotek GmbH", "VirtualBox", "VirtualBox"),
            ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "QEMU"),
            ("Microsoft Corporation", "Virtual Machine", "Hyper-V"),
            ("", "", "another hypervisor"),
        ],
    )
    def test_names_the_hypervisor(self, manufacturer: str, product: str, name: str) -> None:
        flags = frozenset({"hypervisor"})
        assert host.virtualized_by(manufacturer=manufacturer, product=product, cpu_flags=flags) == name

    def test_is_blank_on_bare_metal(self) -> None:
        assert host.virtualized_by(manufacturer="QEMU", product="", cpu_flags=frozenset({"vmx"})) == ""

    def test_reads_the_smbios_tables(self) -> None:
        sysinfo = "<sysinfo type='smbios'><system><entry name='manufacturer'>Dell </entry></system></sysinfo>"
        assert host.manufacturer_and_product(sysinfo) == ("Dell", "")


class TestDecision:
    @pytest.mark.parametrize(
        ("offered", "flag", "above", "reason"),
        [
            (True, "vmx", "", AccelerationReason.KVM_READY),
            (True, "svm", "VMware", AccelerationReason.KVM_READY),
            (False, "svm", "", AccelerationReason.KVM_NOT_OFFERED),
            (True, "", "", AccelerationReason.NO_CPU_SUPPORT),
            (True, "", "VMware", AccelerationReason.NO_CPU_SUPPORT_IN_GUEST),
            (False, "", "", AccelerationReason.NO_CPU_SUPPORT),
        ],
    )
    def test_wants_both(self, flag: str, above: str, reason: AccelerationReason, *, offered: bool) -> None:
        found = decide(kvm_offered=offered, cpu_virtualization=flag, virtualized_by=above)

        assert found.reason is reason
        assert found.kvm is (reason is AccelerationReason.KVM_READY)
        assert found.accelerator is (Accelerator.KVM if found.kvm else Accelerator.QEMU)
