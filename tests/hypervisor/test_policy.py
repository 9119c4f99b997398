"""What a definition may not bring into the host."""

from __future__ import annotations

import posixpath

import pytest

from hypervisor.xml.policy import Objection, objections

POOLS = {"default": "/srv/pool", "images": "/var/lib/libvirt/images/"}
XML = """\
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web1</name>
  <description>/etc/shadow is not meant</description>
  <metadata><app:x xmlns:app="urn:app">/etc/shadow</app:x></metadata>
  <resource><partition>/machine</partition></resource>
  <os firmware='efi'>
    <type>hvm</type>
    <loader readonly='yes'>/usr/share/OVMF/OVMF_CODE.fd</loader>
    <nvram template='/usr/share/OVMF/OVMF_VARS.fd'>/var/lib/libvirt/qemu/nvram/web1.fd</nvram>
  </os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file'><source file='/srv/pool/a.qcow2'/><target dev='vda'/></disk>
    <disk type='file' device='cdrom'><source file='/var/lib/libvirt/images/a.iso'/><target dev='sda'/></disk>
    <interface type='network'><source network='default'/></interface>
    <interface type='direct'><source dev='eth0' mode='bridge'/><target dev='macvtap0'/></interface>
    <serial type='pty'/>
    <channel type='unix'><source mode='bind'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc' listen='127.0.0.1'><listen type='address' address='127.0.0.1'/></graphics>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
  <seclabel type='dynamic' model='dac' relabel='yes'/>
</domain>
"""


def look(device: str = "", *, xml: str = "", base: str = "<domain/>") -> list[Objection]:
    wanted = xml or XML.replace("</devices>", f"{device}</devices>")
    return objections(base, wanted, pools=POOLS, own=("/srv/panel",))


def test_an_ordinary_machine_has_none() -> None:
    assert look() == []


NEVER = [
    "<disk><source file='/etc/shadow'/></disk>",
    "<disk><source file='//etc/shadow'/></disk>",
    "<disk><source file='/srv/pool/../../etc/shadow'/></disk>",
    "<disk><source file='/srv/./pool/.././../proc/self/root/etc/shadow'/></disk>",
    "<disk><source file='/srv/panel/secrets/sealing_keys'/></disk>",
    "<disk><source file='relative.img'/></disk>",
    "<disk><source file=' /etc/shadow'/></disk>",
    "<disk type='block'><source dev='sda'/></disk>",
    "<disk><source file='/srv/pool/a'/><backingStore><source file='/root/x'/></backingStore></disk>",
    "<disk><source file='/var/lib/libvirt/qemu/domain-1-x/master-key.aes'/></disk>",
    "<serial type='file'><source path='/etc/cron.d/x'/></serial>",
    "<serial type='pty'><log file='/etc/cron.d/x'/></serial>",
    "<serial type='pipe'><source path='/proc/sysrq-trigger'/></serial>",
    "<serial type='unix'><source mode='connect' path='/run/libvirt/libvirt-sock'/></serial>",
    "<serial type='unix'><source mode='connect' path='/var/run/libvirt/libvirt-sock'/></serial>",
    "<interface type='ethernet'><script path='/srv/pool/x.sh'/></interface>",
    "<interface type='ethernet'><downscript path='/opt/x.sh'/></interface>",
    "<emulator>/srv/pool/my-qemu</emulator>",
    "<emulator>/usr/bin/kvm_stat</emulator>",
    "<emulator><!--x-->/tmp/evil</emulator>",
    "<emulator>/usr/bin/kvm<!--x-->_stat</emulator>",
    "<emulator><?x y?>/tmp/evil</emulator>",
    "<emulator><a/>/tmp/evil</emulator>",
    "<emulator>/usr/bin/kvm<a>_stat</a></emulator>",
    "<disk><metadata/><source file='/etc/shadow'/></disk>",
    "<disk><metadata><source file='/etc/shadow'/></metadata></disk>",
    "<filesystem type='mount'><binary path='/opt/virtiofsd'/></filesystem>",
    "<filesystem type='mount'><source dir='/etc'/><target dir='x'/></filesystem>",
    "<hostdev mode='capabilities' type='storage'/>",
    "<disk><source file='/srv/pool/a'><seclabel relabel='no'/></source></disk>",
    "<qemu:device/>",
    "<disk type='volume'><source pool='images' volume='../../../../etc/shadow'/></disk>",
    "<disk><source file='/srv/pool/a'/><backingStore type='block'><source dev='sda'/></backingStore></disk>",
    "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/mem'/></backend></tpm>",
]


@pytest.mark.parametrize("device", NEVER)
def test_what_nobody_may_allow(device: str) -> None:
    assert [one for one in look(device) if one.final], device


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</devices>", "</devices><qemu:commandline><qemu:arg value='-S'/></qemu:commandline>"),
        ("</devices>", "</devices><qemu:override/>"),
        ("<seclabel type='dynamic'", "<seclabel type='none'"),
        ("<seclabel type='dynamic'", "<seclabel type='static'"),
        ("relabel='yes'", "relabel='no'"),
        ("relabel='yes'/>", "><baselabel>system_u:system_r:unconfined_t:s0</baselabel></seclabel>"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/bin/passwd"),
        ("<type>hvm</type>", "<type>hvm</type><kernel>/boot/vmlinuz</kernel>"),
        ("<type>hvm</type>", "<type>hvm</type><initrd>/etc/shadow</initrd>"),
        ("<type>hvm</type>", "<type>hvm</type><initrd><!-- -->/etc/shadow</initrd>"),
        ("<type>hvm</type>", "<type>hvm</type><kernel><?x?>/etc/shadow</kernel>"),
        (">/var/lib/libvirt/qemu/nvram/web1.fd", "><!-- -->/etc/shadow"),
        ("<os ", "<bootloader>/srv/pool/x</bootloader><os "),
    ],
)
def test_nor_outside_of_devices(old: str, new: str) -> None:
    assert old in XML
    assert [one for one in look(xml=XML.replace(old, new)) if one.final]


ASKED = [
    "<disk><source file='/home/me/a.qcow2'/></disk>",
    "<disk><source file='/srv/poolside/a.qcow2'/></disk>",
    "<disk type='block'><source dev='/dev/sdb'/></disk>",
    "<disk type='network'><source protocol='nbd' name='x'><host name='h'/></source></disk>",
    "<disk type='nvme'><source type='pci' managed='yes' namespace='1'/></disk>",
    "<disk rawio='yes' device='lun'><source dev='/srv/pool/x'/></disk>",
    "<disk><source file='/srv/pool/b' startupPolicy='optional'/></disk>",
    "<disk><source file='/srv/pool/b'><reservations><source path='/opt/pr'/></reservations></source></disk>",
    "<serial type='tcp'><source mode='bind' host='0.0.0.0' service='4555'/></serial>",
    "<interface type='vhostuser'><source type='unix' path='/var/run/openvswitch/v0' mode='client'/></interface>",
    "<interface type='mcast'><source address='230.0.0.1' port='5558'/></interface>",
    "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>",
    "<filesystem type='mount'><source dir='/srv/pool'/><target dir='x'/></filesystem>",
    "<graphics type='vnc' listen='0.0.0.0'/>",
    "<graphics type='vnc'><listen type='address' address='10.0.0.1'/></graphics>",
    "<graphics type='vnc'><listen type='network' network='default'/></graphics>",
    "<graphics type='vnc' socket='/opt/vnc.sock'/>",
    "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
    "<rng model='virtio'><backend model='random'>/dev/sda</backend></rng>",
    "<rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' host='h'/></backend></rng>",
    "<interface type='hostdev'><source><address type='pci' bus='0x3'/></source></interface>",
    "<interface type='user'><portForward proto='tcp'><range start='22'/></portForward></interface>",
    "<disk><source file='/srv/pool/a'/><backingStore type='nvme'><source type='pci'/></backingStore></disk>",
    "<disk><source file='/srv/pool/a'/>"
    "<backingStore type='network'><source protocol='nbd' name='x'/></backingStore></disk>",
    "<disk type='volume'><source pool='elsewhere' volume='x'/></disk>",
]


@pytest.mark.parametrize("device", ASKED)
def test_what_a_person_must_allow(device: str) -> None:
    found = look(device)
    assert found, device
    assert not [one for one in found if one.final]


def test_a_volume_lies_where_its_pool_does() -> None:
    assert look("<disk type='volume'><source pool='default' volume='x.qcow2'/></disk>") == []


def test_what_is_in_force_is_not_objected_to_again() -> None:
    foreign = XML.replace("</devices>", f"{ASKED[0]}{NEVER[0]}</devices>")
    assert look(xml=foreign.replace("web1", "web1 changed"), base=foreign) == []


def test_what_is_in_force_opens_no_door_for_more_of_it() -> None:
    one = XML.replace("</devices>", "</devices><qemu:commandline><qemu:arg value='-S'/></qemu:commandline>")
    two = one.replace("<qemu:arg value='-S'/>", "<qemu:arg value='-S'/><qemu:arg value='-S'/>")
    assert [objection.final for objection in look(xml=two, base=one)] == [True]


def test_what_nobody_may_allow_is_not_hidden_behind_what_one_may() -> None:
    """A script's path lies in no pool, too; the two stand at one place of the document."""
    found = look("<interface type='ethernet'><script path='/opt/x.sh'/></interface>")
    assert [one.final for one in found] == [True]


@pytest.mark.parametrize("pool", ["/", "//", "/etc", "/dev/", "/var", "/var/lib", "/srv/../etc"])
def test_a_pool_above_the_hosts_own_files_allows_nothing(pool: str) -> None:
    files = ("/etc/shadow", "/dev/mem", "/var/log/syslog", "/var/lib/libvirt/qemu/x")
    named = [
        f"pool='wide' volume='{posixpath.relpath(file, pool)}'" for file in files if file.startswith(pool)
    ]
    for source in [*(f"file='{file}'" for file in files), *named]:
        wanted = XML.replace("</devices>", f"<disk><source {source}/></disk></devices>")
        assert objections("<domain/>", wanted, pools={**POOLS, "wide": pool})
