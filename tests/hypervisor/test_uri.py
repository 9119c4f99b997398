"""A URI can only ever be one of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisor.errors import Invalid
from hypervisor.uri import Address, Transport, build_uri


class TestLocal:
    def test_needs_nothing(self) -> None:
        assert build_uri(Address()) == "qemu:///system"

    def test_may_name_a_socket(self) -> None:
        assert (
            build_uri(Address(socket="/run/a/libvirt-sock"))
            == "qemu+unix:///system?socket=/run/a/libvirt-sock"
        )

    @pytest.mark.parametrize(
        "socket",
        [
            "relative",
            "/a b",
            "/a?command=/bin/sh",
            "/a&command=/bin/sh",
            "/a#",
            "/a%20b",
            "/../a",
            "/a\n",
            "/" + "a" * 200,
        ],
    )
    def test_refuses_a_socket_that_is_more_than_a_path(self, socket: str) -> None:
        with pytest.raises(Invalid):
            Address(socket=socket)

    def test_has_no_host_name(self) -> None:
        with pytest.raises(Invalid):
            Address(hostname="kvm1")


def over_ssh(hostname: str, *, username: str = "", port: int | None = None) -> Address:
    return Address(
        transport=Transport.SSH,
        hostname=hostname,
        username=username,
        port=port,
        credentials="/var/lib/panel/h",
    )


class TestRemote:
    @pytest.mark.parametrize("hostname", ["kvm1", "kvm-1.example.org", "192.0.2.7", "a" * 63])
    def test_takes_a_host_name(self, hostname: str) -> None:
        assert build_uri(over_ssh(hostname, username="root", port=2222)) == (
            f"qemu+ssh://root@{hostname}:2222/system?command=/var/lib/panel/h/ssh&no_tty=1"
        )

    @pytest.mark.parametrize("hostname", ["2001:db8::7", "::1"])
    def test_takes_an_ipv6_address(self, hostname: str) -> None:
        tcp = Address(transport=Transport.TCP, hostname=hostname, port=16509)
        assert build_uri(tcp) == f"qemu+tcp://[{hostname}]:16509/system"

    def test_checks_certificates_always(self) -> None:
        tls = Address(transport=Transport.TLS, hostname="kvm1", credentials="/var/lib/panel/h")
        assert build_uri(tls) == "qemu+tls://kvm1/system?pkipath=/var/lib/panel/h"

    @pytest.mark.parametrize(
        "hostname",
        [
            "",
            "h/system?command=/path#",
            "a b",
            "-oProxyCommand=x",
            "a..b",
            "a\n",
            "a@b",
            "ä",
            "a" * 64,
            "b." * 130,
        ],
    )
    def test_refuses_what_is_none(self, hostname: str) -> None:
        with pytest.raises(Invalid):
            over_ssh(hostname)

    @pytest.mark.parametrize("username", ["-l", "a b", "root@x", "Root", "a" * 33])
    def test_refuses_odd_user_names(self, username: str) -> None:
        with pytest.raises(Invalid):
            over_ssh("kvm1", username=username)

    @pytest.mark.parametrize("port", [0, -1, 65536])
    def test_refuses_impossible_ports(self, port: int) -> None:
        with pytest.raises(Invalid):
            over_ssh("kvm1", port=port)

    def test_has_no_socket(self) -> None:
        with pytest.raises(Invalid):
            Address(transport=Transport.TCP, hostname="kvm1", socket="/run/a")

    def test_needs_credentials_over_ssh_and_tls(self) -> None:
        with pytest.raises(Invalid):
            Address(transport=Transport.TLS, hostname="kvm1")


@given(socket=st.text(max_size=120))
def test_no_socket_adds_a_parameter(socket: str) -> None:
    try:
        uri = build_uri(Address(socket=socket))
    except Invalid:
        return
    assert uri.count("?") == (1 if socket else 0)
    assert not set(uri.partition("?socket=")[2]) & set("&#?% \n")
