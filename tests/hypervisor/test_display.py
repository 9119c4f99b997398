"""A domain's screen on a real QEMU: nobody gets in without a password of ours."""

import re
import socket
from dataclasses import replace
from io import BytesIO
from typing import Final
from uuid import UUID

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from PIL import Image

from hypervisor import driver_display
from hypervisor.driver import Hypervisor
from hypervisor.errors import HypervisorError, Refused, Unsupported
from hypervisor.facts import VncEndpoint
from hypervisor.specs import DomainSpec
from tests.eventually import eventually
from tests.lab.host import LabHost

VNC_AUTHENTICATION: Final = 2


def answer(challenge: bytes, password: str) -> bytes:
    """DES of the challenge, the password's bits mirrored in each byte (RFC 6143 §7.2.2)."""
    padded = password.encode()[:8].ljust(8, b"\0")
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in padded)
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305 - the protocol's own choice
    return encryptor.update(challenge) + encryptor.finalize()


def offered_types(endpoint: VncEndpoint) -> bytes:
    with socket.create_connection((endpoint.host, endpoint.port), timeout=5) as connection:
        return _handshake(connection)


def desktop_name(endpoint: VncEndpoint, password: str) -> str | None:
    """What the server calls itself, or None if it refuses the password."""
    with socket.create_connection((endpoint.host, endpoint.port), timeout=5) as connection:
        assert VNC_AUTHENTICATION in _handshake(connection)
        connection.sendall(bytes([VNC_AUTHENTICATION]))
        connection.sendall(answer(_exactly(connection, 16), password))
        if _exactly(connection, 4) != bytes(4):
            return None
        connection.sendall(b"\x01")
        length = int.from_bytes(_exactly(connection, 24)[20:])
        return _exactly(connection, length).decode()


def _handshake(connection: socket.socket) -> bytes:
    assert _exactly(connection, 12) == b"RFB 003.008\n"
    connection.sendall(b"RFB 003.008\n")
    return _exactly(connection, _exactly(connection, 1)[0])


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        assert chunk, "the server hung up"
        data += chunk
    return data


class TestVnc:
    def test_listens_at_home_and_says_whose_screen_it_is(self, host: Hypervisor, running: UUID) -> None:
        endpoint = host.vnc_endpoint(running)
        host.set_vnc_password(running, "opensesa", valid_for_s=60)

        assert (endpoint.host, endpoint.password_capable) == ("127.0.0.1", True)
        assert desktop_name(endpoint, "opensesa") == endpoint.display_name == "QEMU (small)"

    def test_the_password_of_the_definition_opens_nothing(self, host: Hypervisor, running: UUID) -> None:
        endpoint = host.vnc_endpoint(running)

        assert offered_types(endpoint) == bytes([VNC_AUTHENTICATION])
        assert desktop_name(endpoint, "sesame") is None

    def test_a_password_ends(self, host: Hypervisor, running: UUID) -> None:
        endpoint = host.vnc_endpoint(running)
        host.set_vnc_password(running, "first", valid_for_s=60)
        assert desktop_name(endpoint, "wrong") is None

        host.expire_vnc_password(running)
        assert desktop_name(endpoint, "first") is None

        host.set_vnc_password(running, "second", valid_for_s=2)
        assert desktop_name(endpoint, "second") is not None
        eventually(lambda: desktop_name(endpoint, "second") is None, within_s=5)

    def test_an_opened_password_is_gone_after_a_restart(self, host: Hypervisor, running: UUID) -> None:
        host.set_vnc_password(running, "opened", valid_for_s=600)
        host.destroy_domain(running)
        host.start_domain(running)

        assert desktop_name(host.vnc_endpoint(running), "opened") is None

    def test_of_a_domain_that_is_off_does_not_exist(self, host: Hypervisor, running: UUID) -> None:
        host.destroy_domain(running)

        for call in (host.vnc_endpoint, host.screenshot, host.expire_vnc_password):
            with pytest.raises(Refused):
                call(running)

    def test_of_a_domain_without_a_screen_is_unsupported(self, host: Hypervisor, spec: DomainSpec) -> None:
        host.define_domain(replace(spec, vnc=None))
        host.start_domain(spec.uuid)

        with pytest.raises(Unsupported):
            host.vnc_endpoint(spec.uuid)
        with pytest.raises(Unsupported):
            host.set_vnc_password(spec.uuid, "x", valid_for_s=1)
        with pytest.raises(Refused):
            host.screenshot(spec.uuid)

    def test_a_domain_that_was_started_without_a_password_cannot_be_given_one(
        self, host: Hypervisor, spec: DomainSpec, lab_host: LabHost
    ) -> None:
        host.define_domain(spec)
        file = lab_host.root / "open.xml"
        without_password = lab_host.virsh("dumpxml", str(spec.uuid))
        file.write_text(re.sub(" passwdValidTo='[^']*'", "", without_password))
        lab_host.virsh("define", str(file))
        host.start_domain(spec.uuid)

        assert host.vnc_endpoint(spec.uuid).password_capable is False
        with pytest.raises(Unsupported):
            host.set_vnc_password(spec.uuid, "x", valid_for_s=1)


class TestScreenshot:
    def test_is_a_png_of_what_is_there(self, host: Hypervisor, running: UUID) -> None:
        def firmware_text() -> bool:
            shot = host.screenshot(running)
            with Image.open(BytesIO(shot.png), formats=["PNG"]) as image:
                assert image.size == (shot.width_px, shot.height_px)
                return len(image.convert("RGB").getcolors(1 << 24) or []) > 1

        eventually(firmware_text, within_s=20)

    def test_of_a_size_that_would_take_all_memory_is_refused(self) -> None:
        picture = BytesIO()
        Image.new("1", (8000, 8000)).save(picture, format="PNG")

        with pytest.raises(HypervisorError, match="8000 × 8000"):
            driver_display._as_png(picture)
