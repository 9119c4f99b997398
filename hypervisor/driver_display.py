"""A domain's screen: a picture of it, and the way to it."""

import secrets
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Final
from uuid import UUID

import libvirt
from PIL import Image

from hypervisor import streams
from hypervisor.driver_domains import LIVE, DomainCalls
from hypervisor.errors import HypervisorError, Refused, Unsupported
from hypervisor.facts import GraphicsFacts, Screenshot, VncEndpoint
from hypervisor.specs import check_vnc_password
from hypervisor.translation import translate
from hypervisor.xml import edit

_PICTURE_LIMIT_BYTES: Final = 128 * 1024 * 1024
# More than 8K has. A guest chooses the size of its screen, and each pixel takes four bytes of ours.
_PICTURE_LIMIT_PIXELS: Final = 40_000_000
_WILDCARDS: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
_VNC_TIME: Final = "%Y-%m-%dT%H:%M:%S"


class DisplayCalls(DomainCalls):
    """Each method raises `NotFound` for an unknown UUID and `Refused` for a domain that is off."""

    @translate()
    def screenshot(self, uuid: UUID) -> Screenshot:
        """What is on its first screen now. Raises `Refused` if it has none."""
        domain = self._domain(uuid)
        picture = BytesIO()
        with streams.opened(self._connection) as stream:
            domain.screenshot(stream, 0, 0)
            streams.receive(stream, picture, limit_bytes=_PICTURE_LIMIT_BYTES)
        return _as_png(picture)

    def vnc_endpoint(self, uuid: UUID) -> VncEndpoint:
        """Where its VNC server listens in this run. Raises `Unsupported` if it has none that listens on TCP.

        A port is given to the next domain within seconds: never keep it.
        """
        facts = self.read_domain(uuid)
        if facts.live_id is None:
            raise Refused("The domain is off.")
        screen = _vnc(facts.graphics)
        if screen.port is None:
            raise Unsupported("The domain's VNC screen does not listen on TCP.")
        return VncEndpoint(
            host="127.0.0.1" if screen.listen in _WILDCARDS else screen.listen,
            port=screen.port,
            password_capable=screen.has_password,
            display_name=f"QEMU ({facts.name})",
        )

    def set_vnc_password(self, uuid: UUID, password: str, *, valid_for_s: int) -> None:
        """Let new viewers in with `password` (1 to 8 characters) for a while; those inside stay.

        The time is measured by the host's clock. Raises `Unsupported` if this run was started without a password,
        `Invalid` for a password that cannot be.
        """
        check_vnc_password(password)
        self._set_vnc_password(uuid, password, datetime.now(UTC) + timedelta(seconds=valid_for_s))

    def expire_vnc_password(self, uuid: UUID) -> None:
        """Let no new viewer in any more; those inside stay."""
        self._set_vnc_password(uuid, secrets.token_hex(4), datetime(2000, 1, 1, tzinfo=UTC))

    @translate(effect=True)
    def _set_vnc_password(self, uuid: UUID, password: str, expires_at: datetime) -> None:
        domain = self._domain(uuid)
        if not domain.isActive():
            raise Refused("The domain is off.")
        device = edit.vnc_password_device(
            domain.XMLDesc(LIVE), password=password, expires=expires_at.strftime(_VNC_TIME)
        )
        domain.updateDeviceFlags(device, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def _vnc(screens: tuple[GraphicsFacts, ...]) -> GraphicsFacts:
    for screen in screens:
        if screen.kind == "vnc":
            return screen
    raise Unsupported("The domain has no VNC screen.")


def _as_png(picture: BytesIO) -> Screenshot:
    """QEMU sends PNG since 7.1 and PPM before; the size in its header is checked before anything is decoded."""
    picture.seek(0)
    png = BytesIO()
    try:
        with Image.open(picture, formats=("PPM", "PNG")) as image:
            if image.width * image.height > _PICTURE_LIMIT_PIXELS:
                raise HypervisorError(f"The screen has {image.width} × {image.height} pixels: too many.")
            image.save(png, format="PNG", compress_level=1)
            width_px, height_px = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise HypervisorError("The host sent a picture that cannot be read.") from error
    return Screenshot(png=png.getvalue(), width_px=width_px, height_px=height_px)
