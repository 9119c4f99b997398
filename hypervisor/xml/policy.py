"""What a definition must not bring into the host, and what only a person who knows why may allow.

QEMU runs what a definition says, on the host: whoever may write one could read the host's files, run its programs
and open its ports. So each new definition is compared with the one in force, and what it adds is objected to:

- never: what runs programs or goes around libvirt's confinement (`qemu:commandline`, scripts, another emulator,
  `seclabel`), and files of the host's own system;
- unless ticked: files outside the host's pools, its devices, sockets and network ports. There are honest reasons for
  them, and no way to tell from here.

Every absolute path counts, wherever it stands: what libvirt may learn to open in later versions is in this, too.
"""

import hashlib
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from lxml import etree

from hypervisor.xml.elements import Element, document

# The host's own, except where a pool lies in it, and libvirt's folders for images.
SYSTEM: Final = (
    "/bin", "/boot", "/dev/kmem", "/dev/kvm", "/dev/mem", "/dev/port", "/dev/vfio", "/etc", "/lib", "/lib64",
    "/proc", "/root", "/run/containerd", "/run/dbus", "/run/docker.sock", "/run/libvirt", "/run/systemd", "/sbin",
    "/sys", "/usr", "/var/lib/libvirt", "/var/log", "/var/spool",
)  # fmt: skip
_FOR_IMAGES: Final = ("/var/lib/libvirt/boot", "/var/lib/libvirt/images", "/var/lib/libvirt/isos")
# What distributions ship for guests, and libvirt's own places for what it makes for a machine.
_SHIPPED: Final = (
    "/usr/share/AAVMF", "/usr/share/OVMF", "/usr/share/edk2", "/usr/share/edk2.git", "/usr/share/ipxe",
    "/usr/share/ovmf", "/usr/share/qemu", "/usr/share/qemu-efi-aarch64", "/usr/share/seabios",
    "/usr/share/seavgabios",
)  # fmt: skip
_LIBVIRTS: Final = (
    "/var/lib/libvirt/qemu/nvram",
    "/var/lib/libvirt/qemu/channel",
    "/run/libvirt/qemu/channel",
)
_HARMLESS: Final = frozenset(
    {"/dev/random", "/dev/urandom", "/dev/hwrng", "/dev/null", "/dev/net/tun", "/dev/vhost-net"}
)
_PROGRAMS: Final = re.compile(
    r"/usr/(bin/qemu-system-[a-z0-9_]+|bin/(qemu-)?kvm|libexec/qemu-kvm|(libexec|lib/qemu)/virtiofsd)"
)
# Text of these is nobody's path, whatever it begins with.
_WORDS: Final = frozenset({"title", "description", "name", "cmdline", "partition", "initarg", "entry"})
_PATH_ATTRIBUTES: Final = frozenset({"file", "dir", "template", "logFile"})
_CHARACTER_DEVICES: Final = frozenset({"serial", "parallel", "console", "channel", "smartcard", "redirdev"})
_ELSEWHERE: Final = frozenset({"tcp", "udp"})
# What says where a disk's bytes lie, in its <source>.
_STORES: Final = frozenset({"disk", "backingStore", "mirror", "dataStore"})
_LABELS: Final = ("label", "baselabel", "imagelabel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a definition is not taken; `key` names it in ticks and audit rows. `final`: nobody may allow it."""

    key: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folders:
    """Of the host: pools' by their names; those of them that hold nothing of its own; and the panel's own."""

    named: Mapping[str, str]
    pools: Collection[str]
    own: Collection[str]


def objections(
    base: str, wanted: str, *, pools: Mapping[str, str], own: Collection[str] = ()
) -> list[Objection]:
    """What `wanted` has and `base`, the definition in force, has not.

    `pools` are the folders of the host's pools by their names; those that hold the host's own files count for nothing.
    `own` are folders of the panel's on this host, which nobody may touch.
    Raises `Invalid` for a document that is none.
    """
    apart = [pool for pool in pools.values() if not any(_within(place, [pool]) for place in SYSTEM)]
    folders = _Folders(named=pools, pools=apart, own=own)
    before = {found.key for found in _look(document(base), folders)}
    found: dict[str, Objection] = {}
    for one in _look(document(wanted), folders):
        if one.key not in before and (one.final or one.key not in found):
            found[one.key] = one
    return sorted(found.values(), key=lambda one: (not one.final, one.key))


def _look(root: Element, folders: _Folders) -> Iterator[Objection]:
    for found in root.iter(etree.Element):
        if _is_metadata(found, root):
            continue
        yield from _foreign(found)
        yield from _mixed(found)
        yield from _structure(found)
        yield from _network(found)
        yield from _elsewhere(found)
        yield from _volume(found, folders)
        for path in _paths(found):
            yield from _path(found, path, folders)


def _is_metadata(found: Element, root: Element) -> bool:
    """Whether it stands in what other programs keep with the machine, which libvirt doesn't look into."""
    return any(
        place.tag == "metadata" and place.getparent() is root for place in (found, *found.iterancestors())
    )


def _mixed(found: Element) -> Iterator[Objection]:
    """libvirt reads the text of an element with that of all within it; nobody could say which path that makes."""
    text = " ".join(part for part in (found.text, *(child.tail for child in found)) if part and part.strip())
    if len(found) and text:
        yield _never(found, f"<{etree.QName(found).localname}> holds text between its elements.", text)


def _foreign(found: Element) -> Iterator[Objection]:
    """Other namespaces hand words straight to QEMU; they are one thing, because their order matters."""
    name, parent = etree.QName(found), found.getparent()
    if name.namespace and (parent is None or not etree.QName(parent).namespace):
        value = hashlib.sha256(etree.tostring(found, method="c14n")).hexdigest()[:16]
        yield _never(
            found, f"<{name.localname}> goes around libvirt, so nothing it says can be checked.", value
        )


def _structure(found: Element) -> Iterator[Objection]:
    match found.tag:
        case "script" | "downscript" | "bootloader":
            path = found.get("path") or found.text or ""
            yield _never(found, f"<{found.tag}> runs a program on the host.", path)
        case "seclabel" if found.get("type") != "dynamic" or found.get("relabel") == "no" or _labels(found):
            value = " ".join([*map(str, found.attrib.values()), *_labels(found)])
            yield _never(found, "<seclabel> takes the machine out of its confinement on the host.", value)
        case "hostdev" if found.get("mode") == "capabilities":
            yield _never(found, "Only containers are given devices in this way.", "")
        case "hostdev":
            yield _ask(found, "It is given a device of the host.", _source_of(found))
        case "interface" if found.get("type") == "hostdev":
            yield _ask(found, "It is given a network card of the host.", _source_of(found))
        case "disk" | "backingStore" | "mirror" | "dataStore" if found.get("type") == "nvme":
            yield _ask(found, "It is given a device of the host.", _source_of(found))
        case "disk" if found.get("rawio") == "yes" or found.get("sgio") == "unfiltered":
            yield _ask(found, "It may send any command to the host's drive.", _source_of(found))
        case "filesystem":
            value = _source_of(found)
            yield _ask(found, f"It shares the host's folder {value[:200]} with the guest.", value)
        case "source" if found.get("startupPolicy", "mandatory") != "mandatory":
            yield _ask(found, "It starts without this medium where the medium is missing.", str(found.attrib))


def _labels(found: Element) -> list[str]:
    return [text for name in _LABELS if (text := found.findtext(name, "").strip())]


def _source_of(found: Element) -> str:
    source = found.find("source")
    return "" if source is None else " ".join(str(v) for part in source.iter() for v in part.attrib.values())


def _network(found: Element) -> Iterator[Objection]:
    if found.tag in _CHARACTER_DEVICES and found.get("type") in _ELSEWHERE:
        ends = [
            f"{s.get('mode', 'bind')} {s.get('host', '')}:{s.get('service', '')}"
            for s in found.iter("source")
        ]
        yield _ask(found, f"Its {found.tag} talks over the network, without a password.", " ".join(ends))
    elif found.tag == "listen" and found.get("type") == "network":
        yield _ask(
            found, "Its screen listens on a network of the host, past the panel.", found.get("network", "")
        )
    elif found.tag == "listen" and not _is_local(found.get("address", "")):
        yield _ask(
            found, f"Its screen listens on {found.get('address')}, past the panel.", found.get("address", "")
        )
    elif found.tag == "graphics" and not _is_local(found.get("listen", "")):
        yield _ask(
            found, f"Its screen listens on {found.get('listen')}, past the panel.", found.get("listen", "")
        )
    elif found.tag == "interface" and found.get("type") in ("server", "client", "mcast", "udp"):
        yield _ask(found, "Its network card is a port on the host's network.", found.get("type", ""))


def _elsewhere(found: Element) -> Iterator[Objection]:
    """What comes over the network, or lets others in from there."""
    parent = found.getparent()
    if parent is None:
        return
    if found.tag == "backend" and parent.tag == "rng" and found.get("type") in _ELSEWHERE:
        yield _ask(found, "Its random numbers come over the network.", _source_of(found))
    elif found.tag == "portForward":
        ranges = [str(value) for one in found.iter("range") for value in one.attrib.values()]
        value = " ".join([*map(str, found.attrib.values()), *ranges])
        yield _ask(found, "Its network card opens ports of the host.", value)
    elif found.tag == "source" and parent.tag in _STORES and parent.get("type") == "network":
        value = f"{found.get('protocol', '')} {found.get('name', '')}".strip()
        yield _ask(found, f"Its disk is read over the network ({value[:200]}).", value)


def _volume(found: Element, folders: _Folders) -> Iterator[Objection]:
    """A disk that names its pool lies where that does."""
    pool, volume = found.get("pool", ""), found.get("volume", "")
    if found.tag != "source" or not (pool and volume):
        return
    if pool in folders.named:
        yield from _path(found, f"{folders.named[pool]}/{volume}", folders)
    else:
        yield _ask(
            found, f"Nobody knows where pool {pool[:200]} has its volume {volume[:200]}.", f"{pool} {volume}"
        )


def _is_local(address: str) -> bool:
    try:
        return not address or ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _paths(found: Element) -> Iterator[str]:
    """Each value that is, or must be, a path."""
    parent = found.getparent()
    names = _PATH_ATTRIBUTES
    if found.tag == "source":
        names = names | ({"dev", "path"} if parent is not None and parent.tag in _STORES else {"path"})
    for name, value in found.attrib.items():
        if str(value).startswith("/") or (value and name in names and found.tag != "target"):
            yield str(value)
    text = (found.text or "").strip()
    if text.startswith("/") and found.tag not in _WORDS:
        yield text


def _path(found: Element, path: str, folders: _Folders) -> Iterator[Objection]:
    clean = re.sub("^/+(var/run/)?", _without_alias, posixpath.normpath(path))
    if not clean.startswith("/"):
        yield _never(found, f"“{path[:200]}” is no absolute path.", path)
    elif found.tag in ("emulator", "binary"):
        if not _PROGRAMS.fullmatch(clean):
            yield _never(found, f"It runs the program {clean[:200]} on the host.", clean)
    elif _within(clean, folders.own):
        yield _never(found, "It reaches into the panel's own files.", clean)
    elif (
        clean in _HARMLESS
        or _within(clean, (*folders.pools, *_SHIPPED, *_LIBVIRTS))
        or clean.startswith("/dev/dri/")
    ):
        return
    elif _within(clean, SYSTEM) and not _within(clean, _FOR_IMAGES):
        yield _never(found, f"{clean[:200]} belongs to the host's own system.", clean)
    else:
        yield _ask(found, f"{clean[:200]} lies in none of the host's pools.", clean)


def _without_alias(start: re.Match[str]) -> str:
    """One slash where there were two, and /var/run by its real name."""
    return "/run/" if start[1] else "/"


def _within(path: str, folders: Collection[str]) -> bool:
    clean = [posixpath.normpath(folder) for folder in folders if folder.startswith("/")]
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in clean)


def _never(found: Element, text: str, value: str) -> Objection:
    return Objection(key=_key(found, value), text=text, final=True)


def _ask(found: Element, text: str, value: str) -> Objection:
    return Objection(key=_key(found, value), text=text, final=False)


def _key(found: Element, value: str) -> str:
    """The same for the same thing in the definition in force, wherever among its siblings it stands."""
    places = [etree.QName(place).localname for place in (*reversed([*found.iterancestors()]), found)][1:]
    return f"{'/'.join(places)} {value}".strip()[:500]
