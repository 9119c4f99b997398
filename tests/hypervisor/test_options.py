"""What a running domain takes up at once, and a start from another device than the definition's."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from hypervisor.driver import Hypervisor
from hypervisor.errors import AlreadyInState, HypervisorError, NotFound, Refused
from hypervisor.specs import CdromSpec, DomainSpec, NicSpec
from hypervisor.xml import edit_label, edit_size
from tests.lab.host import LabHost

CARD = "52:54:00:00:00:01"


@pytest.fixture
def bootable(host: Hypervisor, spec: DomainSpec) -> UUID:
    """Off; it boots from its network card, and has a drive."""
    drive = CdromSpec(target="sda")
    card = NicSpec(source="default", mac=CARD, boot_order=1)
    host.define_domain(replace(spec, cdroms=(drive,), nics=(card,), balloon=True))
    return spec.uuid


class TestWhileItRuns:
    @pytest.fixture
    def roomy(self, host: Hypervisor, bootable: UUID) -> UUID:
        host.redefine(bootable, lambda xml: edit_size.set_cpu(xml, vcpus=1, vcpus_max=3, cpu="maximum"))
        host.start_domain(bootable)
        return bootable

    def test_vcpus_come_up_to_the_maximum(self, host: Hypervisor, roomy: UUID) -> None:
        host.set_live_vcpus(roomy, 3)

        facts = host.read_domain(roomy)
        assert facts.live is not None
        assert (facts.live.vcpus, facts.live.vcpus_fixed, facts.defined.vcpus) == (3, 1, 1)
        with pytest.raises(HypervisorError):
            host.set_live_vcpus(roomy, 4)

    def test_memory_is_asked_for(self, host: Hypervisor, roomy: UUID) -> None:
        host.set_live_memory(roomy, 24)

        facts = host.read_domain(roomy)
        assert facts.live is not None
        assert facts.live.memory_mib in (24, 32)  # it has no driver, and need not do it
        assert facts.defined.memory_mib == 32
        with pytest.raises(HypervisorError):
            host.set_live_memory(roomy, 1024)

    def test_labels_are_those_of_the_definition(self, host: Hypervisor, roomy: UUID) -> None:
        host.redefine(
            roomy,
            lambda xml: edit_label.set_labels(
                xml, title="A <b>", description="two\nlines & more", tags=["x", "<y>"]
            ),
        )
        host.show_labels(roomy)

        facts = host.read_domain(roomy)
        assert (facts.title, facts.description, facts.tags) == ("A <b>", "two\nlines & more", ("x", "<y>"))

        host.redefine(roomy, lambda xml: edit_label.set_labels(xml, title="", description="", tags=[]))
        host.show_labels(roomy)

        facts = host.read_domain(roomy)
        assert (facts.title, facts.description, facts.tags) == ("", "", ())


class TestStartFrom:
    def test_is_for_one_start(self, host: Hypervisor, bootable: UUID) -> None:
        before = host.read_document(bootable).xml

        host.start_from(bootable, "sda")

        facts = host.read_domain(bootable)
        assert facts.live is not None
        assert (facts.live.boot, facts.defined.boot) == (("sda", CARD), (CARD,))
        assert facts.persistent
        assert host.read_document(bootable).xml == before
        host.destroy_domain(bootable)
        assert host.read_document(bootable).xml == before
        host.start_domain(bootable)
        now = host.read_domain(bootable).live
        assert now is not None
        assert now.boot == (CARD,)

    def test_survives_the_daemon(self, host: Hypervisor, bootable: UUID, lab_host: LabHost) -> None:
        before = host.read_document(bootable).xml
        host.start_from(bootable, "sda")

        lab_host.kill()
        lab_host.revive()

        assert (
            lab_host.virsh("dumpxml", "--inactive", "--security-info", str(bootable)).strip()
            == before.strip()
        )
        lab_host.virsh("destroy", str(bootable))
        assert (
            lab_host.virsh("dumpxml", "--inactive", "--security-info", str(bootable)).strip()
            == before.strip()
        )

    def test_one_that_runs_is_told(self, host: Hypervisor, bootable: UUID) -> None:
        host.start_domain(bootable)
        with pytest.raises(AlreadyInState):
            host.start_from(bootable, "sda")

    def test_what_is_not_there(self, host: Hypervisor, bootable: UUID) -> None:
        with pytest.raises(NotFound):
            host.start_from(bootable, "vdz")

    def test_saved_memory_is_not_passed_over(
        self, host: Hypervisor, bootable: UUID, lab_host: LabHost
    ) -> None:
        host.start_domain(bootable)
        lab_host.virsh("managedsave", str(bootable))
        with pytest.raises(Refused, match="saved"):
            host.start_from(bootable, "sda")
