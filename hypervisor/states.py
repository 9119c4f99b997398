"""libvirt's numbers for what a domain or a pool is doing, and why, in words."""

from typing import Final

import libvirt

from hypervisor.facts import DomainState, PoolState

_DOMAIN: Final = {
    libvirt.VIR_DOMAIN_RUNNING: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: DomainState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: DomainState.SHUTTING_DOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: DomainState.OFF,
    libvirt.VIR_DOMAIN_CRASHED: DomainState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: DomainState.SUSPENDED,
}

# The position of each word is libvirt's number: virDomainRunningReason, virDomainPausedReason, …
_REASONS: Final = {
    libvirt.VIR_DOMAIN_RUNNING: (
        "unknown", "booted", "migrated", "restored", "from snapshot", "unpaused", "migration canceled",
        "save canceled", "wakeup", "crashed", "post-copy", "post-copy failed",
    ),
    libvirt.VIR_DOMAIN_PAUSED: (
        "unknown", "by user", "migration", "save", "dump", "i/o error", "watchdog", "from snapshot",
        "shutting down", "snapshot", "crashed", "starting up", "post-copy", "post-copy failed", "api error",
    ),
    libvirt.VIR_DOMAIN_SHUTDOWN: ("unknown", "by user"),
    libvirt.VIR_DOMAIN_SHUTOFF: (
        "unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot", "daemon",
    ),
    libvirt.VIR_DOMAIN_CRASHED: ("unknown", "panicked"),
    libvirt.VIR_DOMAIN_PMSUSPENDED: ("unknown",),
}  # fmt: skip

_POOL: Final = {
    libvirt.VIR_STORAGE_POOL_INACTIVE: PoolState.INACTIVE,
    libvirt.VIR_STORAGE_POOL_BUILDING: PoolState.BUILDING,
    libvirt.VIR_STORAGE_POOL_RUNNING: PoolState.RUNNING,
    libvirt.VIR_STORAGE_POOL_DEGRADED: PoolState.DEGRADED,
    libvirt.VIR_STORAGE_POOL_INACCESSIBLE: PoolState.INACCESSIBLE,
}


def domain_state(number: int) -> DomainState:
    """Our word for a `virDomainState`; UNKNOWN for one that a newer libvirt has added."""
    return _DOMAIN.get(number, DomainState.UNKNOWN)


def state_reason(state: int, reason: int) -> str:
    """Why a domain is in its state, "unknown" for what a newer libvirt has added."""
    words = _REASONS.get(state, ())
    return words[reason] if 0 <= reason < len(words) else "unknown"


def pool_state(number: int) -> PoolState:
    """Our word for a `virStoragePoolState`; INACCESSIBLE for one that a newer libvirt has added."""
    return _POOL.get(number, PoolState.INACCESSIBLE)
