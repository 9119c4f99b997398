"""The guest agent's channel in the document of a run."""

from typing import Final

from hypervisor.guest_facts import AgentLink
from hypervisor.xml.elements import document

CHANNEL: Final = "org.qemu.guest_agent.0"


def agent_link(live: str) -> AgentLink:
    """Whether the channel is there, and whether something in the guest has it open."""
    for target in document(live).iterfind("devices/channel/target"):
        if target.get("name") == CHANNEL:
            return AgentLink.CONNECTED if target.get("state") == "connected" else AgentLink.DISCONNECTED
    return AgentLink.NONE
