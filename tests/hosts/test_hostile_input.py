"""Two hundred addresses that nobody means well with: each is refused with a reason, and none starts a program."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from core.errors import InvalidInput
from hosts.actions import manage
from hosts.actions.details import HostDetails
from hosts.models import Credentials, Host, Transport
from hypervisor.errors import Invalid
from hypervisor.uri import Address, build_uri
from hypervisor.uri import Transport as UriTransport
from tests.conftest import Cast, browser_of, program_of

# What a shell, ssh, libvirt's URIs, a resolver, a log or a terminal would take for more than a part of a name.
_SPECIAL: Final = (
    *" \t\n\r\v\f\0\x1b\x7f!\"#$%&'()*+,/;<=>?@[\\]^_`{|}~",
    *(
        "\u00a0",
        "\u00ad",
        "\u200b",
        "\u202e",
        "\u2028",
        "\u3002",
        "\uff0e",
        "\ufeff",
        "\U0001f480",
        "ä",
        "\u0430",
    ),
    *(
        "$(id)",
        "`id`",
        "${IFS}",
        "&&id",
        "||id",
        ";id;",
        "|id",
        ">/tmp/x",
        "<!--",
        "%0a",
        "%00",
        "%3f",
        "%2f",
        "%s",
    ),
    *("..", "//", "/..", "://", "?command=/x", "#x", "&command=/x", "@evil", ":22", "\r\nHost: x"),
)
_WHOLE: Final = (
    "",
    " ",
    ".",
    "-",
    "--",
    "-h",
    "-oProxyCommand=touch /tmp/x",
    "--proxy-command=x",
    "-F/etc/passwd",
    "-",
    "_",
    ".kvm1",
    "kvm1.",
    "kvm1..example",
    "kvm-.example",
    "-kvm1.example",
    "kvm_1",
    "h/system?command=/x#",
    "h/system?netcat=/x",
    "h/system?socket=/x",
    "h/system?no_verify=1",
    "h/system?pkipath=/tmp",
    "h?keyfile=/etc/shadow",
    "root@kvm1",
    "root:secret@kvm1",
    "a@b@kvm1",
    "kvm1:22",
    "kvm1:",
    ":22",
    "qemu+ssh://kvm1/system",
    "qemu:///system",
    "test:///default",
    "esx://kvm1",
    "file:///etc/passwd",
    "http://kvm1",
    "//kvm1",
    "/var/run/libvirt/libvirt-sock",
    "../../etc/passwd",
    "[::1]",
    "[::1]:22",
    "[kvm1]",
    "fe80::1%eth0",
    "fe80::1%25eth0",
    "fe80::1%;id",
    "::ffff:127.0.0.1%lo",
    "1::2::3",
    ":::",
    "12345::",
    "::1/128",
    "192.0.2.1/24",
    "192.0.2.1:16509",
    "kvm1,kvm2",
    "kvm1 kvm2",
    "kvm1\nkvm2",
    "kvm1\0.example",
    "$(reboot)",
    "`reboot`",
    "${HOME}",
    "~root",
    "*",
    "?",
    "%h",
    "%%",
    "{{ 7*7 }}",
    "{% debug %}",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    '"; DROP TABLE hosts; --',
    "a" * 64,
    "a" * 300,
    ("a" * 63 + ".") * 5,
    "b." * 150,
    "k\u212avm",
    "\u212avm1",
    "ⓚⓥⓜ",
    "kvm\u0661",
    "xn--\u00e4",
    "例え.jp",
)
ADDRESSES: Final = tuple(
    dict.fromkeys(
        (*_WHOLE, *(f"kv{special}m1" for special in _SPECIAL), *(f"{one}kvm1/x" for one in _SPECIAL))
    )
)
USERNAMES: Final = (
    "-l",
    "-oProxyCommand=x",
    "a b",
    "root@x",
    "Root",
    "a" * 33,
    "a;id",
    "$(id)",
    "a\nb",
    "ä",
    "%r",
    "a:b",
)
LABELS: Final = ("-x", "a b", "<b>", "a;id", "a" * 41, "ä", "a\nb", "{{a}}")

# Audit events (docs.python.org/3/library/audit_events.html) of every way in which Python starts a program.
_STARTS: Final = {
    "subprocess.Popen",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
}
_started: list[str] = []
_looking = False


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _looking and event in _STARTS:
        _started.append(f"{event} {arguments}")


sys.addaudithook(_listen)  # for the life of the process: Python can't take it out again


@pytest.fixture(autouse=True)
def nothing_starts() -> Iterator[None]:
    global _looking
    _looking = True
    yield
    _looking = False
    started, _started[:] = list(_started), []
    assert started == []


def test_there_are_two_hundred() -> None:
    assert len(ADDRESSES) >= 200


@pytest.mark.parametrize("transport", [UriTransport.SSH, UriTransport.TLS, UriTransport.TCP])
def test_none_becomes_a_uri(transport: UriTransport) -> None:
    for address in ADDRESSES:
        with pytest.raises(Invalid):
            build_uri(Address(transport=transport, hostname=address, credentials="/var/lib/panel/h"))


@pytest.mark.django_db
class TestAdding:
    @pytest.fixture(autouse=True)
    def nothing_was_added(self) -> Iterator[None]:
        yield
        assert not Host.objects.exists()
        assert not Credentials.objects.exists()

    def test_is_refused_beside_the_address(self, cast: Cast) -> None:
        for address in ADDRESSES:
            if address != address.strip(" "):
                continue  # spaces around an address come with the clipboard, and go
            for transport in (Transport.SSH, Transport.TLS, Transport.TCP):
                details = HostDetails(transport=transport, address=address, insecure=True)
                assert refusal(cast, details).field == "address", repr(address)

    def test_is_refused_by_the_form(self, cast: Cast) -> None:
        browser = browser_of(cast.superuser)
        for address in ADDRESSES:
            if address != address.strip():
                continue
            answer = browser.post("/hosts/new/", {"address": address, "transport": "ssh"})
            assert answer.status_code == 422, repr(address)
            assert answer.context["form"].errors["address"], repr(address)

    def test_is_refused_by_rest(self, cast: Cast) -> None:
        program = program_of(cast.superuser)
        for address in ADDRESSES:
            wanted = {"address": address, "transport": "ssh"}
            answer = program.post("/api/v1/hosts", wanted, content_type="application/json")
            assert answer.status_code == 422, repr(address)
            assert "address" in answer.content.decode(), repr(address)

    def test_so_are_user_names_ports_labels_and_addresses_for_migration(self, cast: Cast) -> None:
        good = HostDetails(transport=Transport.SSH, address="kvm1.example.org")
        for username in USERNAMES:
            assert refusal(cast, replace(good, username=username)).field == "username", repr(username)
        for port in (0, -1, 65536, 10**12):
            assert refusal(cast, replace(good, port=port)).field == "port"
        for label in LABELS:
            assert refusal(cast, replace(good, labels=[label])).field == "labels", repr(label)
        for name in ("a\nb", "a\0b", "a\x1b[31m", "\u202eb", "n" * 81):
            assert refusal(cast, replace(good, name=name)).field == "name", repr(name)
        for address in ADDRESSES:
            if address.strip(" ") and address == address.strip(" "):
                assert refusal(cast, replace(good, migration_address=address)).field == "migration_address"


def refusal(cast: Cast, details: HostDetails) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        manage.add(actor=cast.superuser, details=details)
    assert caught.value.message
    return caught.value
