"""What guests say, read into facts: whatever it is, it becomes text that can be shown, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hypervisor.guest import agent_facts, card_addresses
from hypervisor.guest_facts import AddressSource, AgentLink
from hypervisor.xml.agent import agent_link

CARD: dict[str, Any] = {
    "if.count": 2,
    "if.0.hwaddr": "00:00:00:00:00:00",
    "if.0.addr.count": 1,
    "if.0.addr.0.addr": "127.0.0.1",
    "if.0.addr.0.prefix": 8,
    "if.1.hwaddr": "52:54:00:AA:BB:01",
    "if.1.addr.count": 4,
    "if.1.addr.0.addr": "192.0.2.7",
    "if.1.addr.0.prefix": 24,
    "if.1.addr.1.addr": "fe80::1%eth0",
    "if.1.addr.1.prefix": 64,
    "if.1.addr.2.addr": "2001:DB8::7",
    "if.1.addr.2.prefix": 64,
    "if.1.addr.3.addr": "<b>10.0.0.1</b>",
    "if.1.addr.3.prefix": 24,
}


def test_an_agents_addresses_are_those_that_others_can_use() -> None:
    told = [(one.mac, one.address, one.prefix) for one in agent_facts(CARD).addresses]
    assert told == [
        ("52:54:00:aa:bb:01", "192.0.2.7", 24),
        ("52:54:00:aa:bb:01", "2001:db8::7", 64),
    ]


def test_texts_are_cut_and_shown_in_one_line() -> None:
    facts = agent_facts({"hostname": "a\nb\x00‮" + "x" * 9000, "os.pretty-name": 7, "user.count": 10**30})
    assert facts.hostname.startswith("a b x")
    assert len(facts.hostname) == 255
    assert (facts.os, facts.users) == ("7", ())


@pytest.mark.parametrize("total", [None, "12", -1, 0, 2**80])
def test_sizes_that_are_none_hide_their_file_system(total: object) -> None:
    fs = {"fs.count": 1, "fs.0.mountpoint": "/", "fs.0.total-bytes": total, "fs.0.used-bytes": 2**90}
    facts = agent_facts(fs).filesystems
    assert [(one.used_bytes, one.total_bytes) for one in facts] == (
        [(2**63 - 1, 2**63 - 1)] if total == 2**80 else []
    )


def test_lists_end() -> None:
    many = {"fs.count": 10**9} | {
        f"fs.{n}.{key}": 1 for n in range(200) for key in ("mountpoint", "total-bytes")
    }
    assert len(agent_facts(many).filesystems) == 64
    cards = {
        f"vnet{n}": {"hwaddr": None, "addrs": [{"addr": f"192.0.2.{n}", "prefix": 24}] * 9} for n in range(99)
    }
    assert len(card_addresses(cards, AddressSource.LEASE)) == 64
    assert card_addresses({"lo": {"hwaddr": "", "addrs": None}}, AddressSource.ARP) == ()


@pytest.mark.parametrize(
    ("channel", "link"),
    [
        ("", AgentLink.NONE),
        ("<channel><target type='virtio' name='com.redhat.spice.0'/></channel>", AgentLink.NONE),
        ("<channel><target name='org.qemu.guest_agent.0'/></channel>", AgentLink.DISCONNECTED),
        (
            "<channel><target name='org.qemu.guest_agent.0' state='disconnected'/></channel>",
            AgentLink.DISCONNECTED,
        ),
        (
            "<channel><target name='org.qemu.guest_agent.0' state='connected'/></channel>",
            AgentLink.CONNECTED,
        ),
    ],
)
def test_the_run_tells_whether_an_agent_is_connected(channel: str, link: AgentLink) -> None:
    assert agent_link(f"<domain><devices>{channel}</devices></domain>") is link
