"""What nobody is to read in a definition: hidden where it is shown, there again where it is defined."""

from __future__ import annotations

import pytest
from lxml import etree

from hypervisor.errors import Invalid
from hypervisor.xml.secrets import Secrets

XML = """\
<domain xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>web1</name>
  <description>password: swordfish</description>
  <sysinfo type="fwcfg"><entry name="opt/com.coreos/config">{"ignition": 1}</entry></sysinfo>
  <sysinfo type="smbios"><system><entry name="serial">ds=nocloud</entry></system>
    <oemStrings><entry>io.systemd.credential:passwd.hashed-password.root=letmein</entry></oemStrings></sysinfo>
  <devices>
    <disk type="network"><source protocol="https" name="a">
      <cookies><cookie name="sid">abc</cookie></cookies></source></disk>
    <graphics type="vnc" passwd="hunter2"/>
    <graphics type="spice" passwd="hunter2"/>
    <graphics type="vnc" passwd=""/>
  </devices>
  <qemu:commandline>
    <qemu:env name="TOKEN" value="xyz"/>
    <qemu:arg value="-object"/>
    <qemu:arg value="secret,id=s0,data=deadbeef"/>
  </qemu:commandline>
</domain>
"""


class TestHiding:
    def test_leaves_no_secret_in_sight(self) -> None:
        hidden = Secrets().hide(XML)
        for secret in ("hunter2", "abc", "ignition", "letmein", "xyz", "deadbeef"):
            assert secret not in hidden

    def test_leaves_the_rest_as_it_is(self) -> None:
        hidden = Secrets().hide(XML)
        for open_word in ("swordfish", "ds=nocloud", "-object", "web1", "TOKEN"):
            assert open_word in hidden

    def test_gives_equal_secrets_one_number_also_over_documents(self) -> None:
        secrets = Secrets()
        one = etree.fromstring(secrets.hide(XML))
        other = etree.fromstring(secrets.hide(XML.replace('"vnc" passwd="hunter2"', '"vnc" passwd="other"')))

        def screens(root: etree._Element) -> list[str]:
            return [screen.get("passwd", "") for screen in root.iter("graphics")]

        assert screens(one)[0] == screens(one)[1] == screens(other)[1]
        assert screens(other)[0] not in screens(one)
        assert screens(one)[2] == ""


class TestRestoring:
    def test_puts_every_secret_back(self) -> None:
        secrets = Secrets()
        again = etree.tostring(etree.fromstring(secrets.restore(secrets.hide(XML))), method="c14n")
        assert again == etree.tostring(etree.fromstring(XML), method="c14n")

    def test_takes_what_was_typed_in_place_of_a_placeholder(self) -> None:
        secrets = Secrets()
        typed = secrets.hide('<domain><graphics passwd="old"/></domain>').replace("kept-secret-1", "new")
        assert 'passwd="new"' in secrets.restore(typed)

    def test_never_gives_a_secret_away_where_it_can_be_read(self) -> None:
        secrets = Secrets()
        secrets.hide(XML)
        moved = "<domain><description>kept-secret-1</description></domain>"
        assert "kept-secret-1" in secrets.restore(moved)

    def test_refuses_a_placeholder_that_stands_for_nothing(self) -> None:
        with pytest.raises(Invalid, match="kept-secret-9"):
            Secrets().restore('<domain><graphics passwd="kept-secret-9"/></domain>')
