"""The start of RFB 3.8 (RFC 6143 §7.1 to §7.3), on both sides of the proxy.

Towards the guest the proxy is a client that proves the screen is the right one; towards the browser it is a server
that asks for no password. A guest owns every byte it sends: each length is bounded before it is read.
"""

import asyncio
import hmac
import socket
from collections.abc import Awaitable, Callable

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

VERSION = b"RFB 003.008\n"
NO_AUTHENTICATION = 1
VNC_AUTHENTICATION = 2
NAME_BYTES = 1024


class BadScreen(Exception):
    """What listens there does not speak RFB 3.8, or breaks off."""


class WrongScreen(Exception):
    """What listens there speaks RFB 3.8, but is not the screen that the ticket is for."""


class BadBrowser(Exception):
    """The browser's half of the handshake is none."""


async def open_screen(guest: socket.socket, *, password: str | None, desktop_name: str | None) -> bytes:
    """Sign in to a guest's screen and give its ServerInit message, whole.

    With a `password` the screen must ask for one and take it; without, it must ask for none and carry
    `desktop_name`. Raises BadScreen, WrongScreen, OSError.
    """
    read, write = _reader(guest), asyncio.get_running_loop().sock_sendall
    if await read(len(VERSION)) != VERSION:
        raise BadScreen("it does not speak RFB 3.8")
    await write(guest, VERSION)
    offered = await read((await read(1))[0])
    if not offered:
        raise BadScreen("it refuses connections")
    wanted = NO_AUTHENTICATION if password is None else VNC_AUTHENTICATION
    if wanted not in offered:
        raise WrongScreen(f"it offers security types {list(offered)}, not {wanted}")
    await write(guest, bytes([wanted]))
    if password is not None:
        await write(guest, answer(await read(16), password))
    if int.from_bytes(await read(4)) != 0:
        raise WrongScreen("it does not take the password")
    await write(guest, b"\x01")  # shared: a second viewer does not throw out the first (§7.3.1)
    init = await read(24)
    length = int.from_bytes(init[20:24])
    if length > NAME_BYTES:
        raise BadScreen(f"its name is {length} bytes long")
    name = await read(length)
    if password is None and not hmac.compare_digest(name, (desktop_name or "").encode()):
        raise WrongScreen("it carries another name")
    return init + name


async def greet(
    receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]], server_init: bytes
) -> bytes:
    """Play the server's half for the browser and give the bytes it sent beyond the handshake.

    Raises BadBrowser, and what `receive` and `send` raise.
    """
    buffer = bytearray()

    async def read(count: int) -> bytes:
        while len(buffer) < count:
            buffer.extend(await receive())
        taken = bytes(buffer[:count])
        del buffer[:count]
        return taken

    await send(VERSION)
    if await read(len(VERSION)) != VERSION:
        raise BadBrowser("it does not speak RFB 3.8")
    await send(bytes([1, NO_AUTHENTICATION]))
    if await read(1) != bytes([NO_AUTHENTICATION]):
        raise BadBrowser("it chose a security type that was not offered")
    await send(bytes(4))
    await read(1)  # ClientInit: screens are always shared
    await send(server_init)
    return bytes(buffer)


def answer(challenge: bytes, password: str) -> bytes:
    """DES of the 16 bytes' challenge with the password as key, each of its bytes bit-reversed (§7.2.2).

    The field agrees on the reversal although the RFC does not say it. Only the first eight bytes count.
    """
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode("latin-1")[:8].ljust(8, b"\0"))
    # Three times the same key makes triple DES the single DES that the protocol wants.
    cipher = Cipher(TripleDES(key * 3), modes.ECB())  # noqa: S305 - the protocol's own mode
    encryptor = cipher.encryptor()
    return encryptor.update(challenge) + encryptor.finalize()


def _reader(guest: socket.socket) -> Callable[[int], Awaitable[bytes]]:
    loop = asyncio.get_running_loop()

    async def read(count: int) -> bytes:
        taken = bytearray()
        while len(taken) < count:
            chunk = await loop.sock_recv(guest, count - len(taken))
            if not chunk:
                raise BadScreen("it broke off")
            taken += chunk
        return bytes(taken)

    return read
