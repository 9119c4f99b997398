"""A daemon that is silent, dead or back again: every call ends, and says what the caller should do."""

import subprocess
import sys
import time
from collections.abc import Iterator
from uuid import UUID

import libvirt
import pytest

from hypervisor import events
from hypervisor.driver import Hypervisor
from hypervisor.errors import (
    AccessDenied,
    HypervisorError,
    NoSpace,
    NotFound,
    OutcomeUnknown,
    Unreachable,
    Unsupported,
)
from hypervisor.specs import DomainSpec
from hypervisor.translation import translate
from hypervisor.uri import Address
from tests.eventually import eventually
from tests.lab.host import LabHost


@pytest.fixture
def impatient(host: Hypervisor, address: Address) -> Iterator[Hypervisor]:
    """A connection that gives a silent host up after 1 × (2 + 1) seconds."""
    with Hypervisor.open(address, keepalive_interval_s=1, keepalive_count=2) as opened:
        yield opened


@pytest.fixture
def frozen(lab_host: LabHost, impatient: Hypervisor) -> Iterator[None]:
    lab_host.freeze()
    yield
    lab_host.thaw()


class TestSilentDaemon:
    @pytest.mark.usefixtures("frozen")
    def test_ends_a_question_by_keepalive(self, impatient: Hypervisor) -> None:
        started = time.monotonic()

        with pytest.raises(Unreachable) as caught:
            impatient.list_pools()

        assert 1.5 < time.monotonic() - started < 6
        assert not isinstance(caught.value, OutcomeUnknown)
        assert not impatient.is_alive()

    def test_leaves_a_command_open(
        self, lab_host: LabHost, host: Hypervisor, impatient: Hypervisor, spec: DomainSpec
    ) -> None:
        host.define_domain(spec)
        lab_host.freeze()
        try:
            with pytest.raises(OutcomeUnknown):
                impatient.start_domain(spec.uuid)
        finally:
            lab_host.thaw()


class TestDeadDaemon:
    def test_is_noticed_told_and_survived(
        self, lab_host: LabHost, host: Hypervisor, address: Address, running: UUID
    ) -> None:
        before = host.read_domain(running)
        heard: list[events.Event] = []
        with Hypervisor.open(address) as other:
            other.subscribe(heard.append)
            lab_host.kill()
            try:
                eventually(lambda: not other.is_alive(), within_s=5)
                with pytest.raises(Unreachable):
                    other.read_domains_anew({})
                with pytest.raises(OutcomeUnknown):
                    other.destroy_domain(running)
                with pytest.raises(Unreachable):
                    Hypervisor.open(address)
            finally:
                lab_host.revive()
            assert events.ConnectionClosed(reason="end of file") in heard

        with Hypervisor.open(address) as again:
            assert again.read_domain(running) == before


class TestConnection:
    def test_that_is_not_allowed_is_told(self, lab_host: LabHost, address: Address) -> None:
        script = f"""
from hypervisor.driver import Hypervisor
from hypervisor.errors import AccessDenied
from hypervisor.uri import Address
import os
os.setuid(65534)
try:
    Hypervisor.open(Address(socket={str(lab_host.socket)!r}))
except AccessDenied:
    os._exit(0)
os._exit(1)
"""
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    def test_to_nowhere_is_unreachable(self) -> None:
        with pytest.raises(Unreachable):
            Hypervisor.open(Address(socket="/nowhere/libvirt-sock"))

    def test_closes_twice(self, address: Address) -> None:
        opened = Hypervisor.open(address)
        assert opened.is_alive()
        opened.close()
        opened.close()
        assert not opened.is_alive()


class TestHostFacts:
    def test_tell_what_the_host_is(self, host: Hypervisor, lab_host: LabHost) -> None:
        facts = host.host_facts()

        assert facts.hostname == lab_host.exec("hostname").strip()
        assert facts.libvirt_version == lab_host.exec("libvirtd", "--version").split()[-1]
        assert facts.cpus >= 1
        total_kib = int(lab_host.exec("awk", "/^MemTotal/ {print $2}", "/proc/meminfo"))
        assert facts.memory_mib == total_kib // 1024
        assert facts.memory_mib >= facts.memory_free_mib > 0
        assert facts.uefi_offered
        assert "q35" in facts.machines
        assert facts.acceleration.kvm is (facts.kvm_offered and facts.cpu_virtualization != "")

    def test_know_the_cpu_flag_that_a_model_implies(self, host: Hypervisor) -> None:
        epyc = "<cpu><arch>x86_64</arch><model>EPYC</model><vendor>AMD</vendor></cpu>"
        expanded = host._connection.baselineCPU([epyc], libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES)
        assert "name='svm'" in expanded


class TestTranslation:
    """Codes that no healthy daemon gives; the others are met where they arise."""

    @pytest.mark.parametrize(
        ("code", "domain", "errno", "kind"),
        [
            (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_STORAGE, 28, NoSpace),
            (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_STORAGE, 13, AccessDenied),
            (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_STORAGE, 2, HypervisorError),
            (libvirt.VIR_ERR_AUTH_FAILED, libvirt.VIR_FROM_POLKIT, 0, AccessDenied),
            (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_FROM_QEMU, 0, Unsupported),
            (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_FROM_QEMU, 0, NotFound),
            (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_RPC, 32, Unreachable),
            (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_RPC, 13, AccessDenied),
            (libvirt.VIR_ERR_AUTH_FAILED, libvirt.VIR_FROM_RPC, 0, AccessDenied),
            (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_FROM_NONE, 0, Unreachable),
            (999_999, libvirt.VIR_FROM_NONE, 0, HypervisorError),
        ],
    )
    def test_keeps_code_and_words(
        self, code: int, domain: int, errno: int, kind: type[HypervisorError]
    ) -> None:
        error = libvirt.libvirtError("failed")
        error.err = (code, domain, "the words", 2, "", "", "", errno, -1)

        with pytest.raises(HypervisorError) as caught, translate():
            raise error

        assert type(caught.value) is kind
        assert (caught.value.code, caught.value.domain, str(caught.value)) == (code, domain, "the words")

    def test_of_an_error_without_details_is_the_root(self) -> None:
        error = libvirt.libvirtError("bare")
        error.err = None

        with pytest.raises(HypervisorError, match="bare"), translate():
            raise error
