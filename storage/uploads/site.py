"""The addresses: `/uploads/` to begin one, `/uploads/UUID` to go on with it, ask about it, or drop it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

import structlog
from asgiref.sync import ThreadSensitiveContext
from channels.db import database_sync_to_async
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Verb
from core.errors import InvalidInput, PanelError
from storage import actions, listing, spool
from storage.models import Pool, Upload, UploadState
from storage.uploads import protocol
from storage.uploads.door import sender
from storage.uploads.protocol import Answer, Checksum, Headers, Refused
from storage.uploads.receiving import Cut, Receive, Receiver

log = structlog.get_logger(__name__)

PREFIX = "/uploads/"
TAKEN = 423
HERE = (UploadState.STORING, UploadState.STORED)
# Who only asks how much is here holds the file for a moment; a sender waits that long instead of being sent away.
GLANCE_S = 1.0
GLANCE_OVER_EVERY_S = 0.05

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def uploads(scope: Any, receive: Receive, send: Send) -> None:
    """One request (ASGI 3.0)."""
    # A thread of the request's own for the database, as Django's handler has it.
    async with ThreadSensitiveContext():
        try:
            answer = await _answer(scope, receive)
        except Refused as refused:
            answer = refused.answer
        except PanelError as error:
            answer = Refused.because(error).answer
        except Cut:
            return
        except Exception:
            log.exception("upload broke")
            answer = Refused(500, "Something in the panel broke.").answer
    await _send(send, answer)


async def _send(send: Send, answer: Answer) -> None:
    headers = {
        "Tus-Resumable": protocol.VERSION,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Length": str(len(answer.body)),
        **answer.headers,
    }
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": answer.body})


async def _answer(scope: Any, receive: Receive) -> Answer:
    headers, method = protocol.headers_of(scope), scope["method"]
    if method == "POST":
        method = headers.get("x-http-method-override", method).upper()
    if method == "OPTIONS":
        return _abilities()
    if headers.get("tus-resumable") != protocol.VERSION:
        raise Refused(412, "Speak tus 1.0.0 here.", Tus_Version=protocol.VERSION)
    user: User = await database_sync_to_async(sender)(scope)
    name = scope["path"].removeprefix(PREFIX)
    if name:
        return await _answer_for_one(name, method, user, headers, receive)
    if method != "POST":
        raise Refused(405, "Begin an upload with POST.", Allow="OPTIONS, POST")
    begun: Answer = await database_sync_to_async(_begin)(user, headers)
    return begun


async def _answer_for_one(name: str, method: str, user: User, headers: Headers, receive: Receive) -> Answer:
    upload: Upload = await database_sync_to_async(_find)(user, name)
    if method == "PATCH":
        return await _take(upload, user, headers, receive)
    calls = {"HEAD": _tell, "DELETE": _drop}
    if method not in calls:
        raise Refused(405, "There is nothing to do it to.", Allow="DELETE, HEAD, OPTIONS, PATCH")
    answer: Answer = await database_sync_to_async(calls[method])(upload, user)
    return answer


def _abilities() -> Answer:
    return Answer(
        204,
        {
            "Tus-Version": protocol.VERSION,
            "Tus-Extension": protocol.EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(protocol.CHECKSUMS),
        },
    )


def _begin(user: User, headers: Headers) -> Answer:
    """`Upload-Metadata`: `filename`, `pool` (a UUID) and, if you will, `host` (its UUID) and `fingerprint`."""
    words = protocol.metadata(headers)
    pool = _pool(user, words)
    upload = actions.begin_upload(
        pool=pool,
        filename=words.get("filename", ""),
        size_bytes=protocol.number(headers, "Upload-Length"),
        fingerprint=words.get("fingerprint", ""),
        actor=user,
    )
    return Answer(201, {"Location": f"{PREFIX}{upload.uuid}", **_expiry()})


def _pool(user: User, words: dict[str, str]) -> Pool:
    try:
        key = UUID(words.get("pool", ""))
    except ValueError:
        raise Refused(400, "Say which pool, by its UUID.", field="pool") from None
    pool = listing.find_pool(user, key, words.get("host", ""), verb=Verb.STORAGE_MANAGE)
    if pool is None:
        raise Refused(404, "There is no such pool.", field="pool")
    return pool


def _find(user: User, name: str) -> Upload:
    """A person's own upload, as long as they may bring files."""
    try:
        key = UUID(name)
    except ValueError:
        raise Refused(404, "There is no such upload.") from None
    mine = Upload.objects.permitted(user, Verb.STORAGE_MANAGE).filter(owner=user)
    upload: Upload | None = mine.select_related("pool__host").filter(uuid=key).first()
    if upload is None:
        raise Refused(404, "There is no such upload.")
    if upload.state == UploadState.REFUSED:
        raise Refused(410, upload.error)
    return upload


def _tell(upload: Upload, user: User) -> Answer:
    """How much is here. A file that is here in full, and that a broken process left at that, is stored now."""
    if upload.state in HERE:
        return Answer(200, _standing(upload, upload.size_bytes))
    with _writing(upload) as part:
        part.sync()
        offset = part.size
        if offset == upload.size_bytes:
            actions.finish_upload(upload=upload, actor=user)
    return Answer(200, _standing(upload, offset))


def _drop(upload: Upload, user: User) -> Answer:
    actions.discard_upload(upload=upload, actor=user)
    return Answer(204)


async def _take(upload: Upload, user: User, headers: Headers, receive: Receive) -> Answer:
    if headers.get("content-type") != protocol.BODY_TYPE:
        raise Refused(415, f"Send {protocol.BODY_TYPE}.")
    offset, checksum = protocol.number(headers, "Upload-Offset"), Checksum.of(headers)
    if upload.state in HERE:
        raise Refused(409, "All of it is here already.")
    with ExitStack() as stack:
        part = await _ours(upload, stack)
        if part.size != offset:
            raise Refused(409, f"{part.size} bytes are here, not {offset}.")
        receiver = Receiver(upload, part, checksum)
        try:
            await receiver.take(receive)
        except InvalidInput as reason:
            await database_sync_to_async(actions.refuse_upload)(upload=upload, reason=reason)
            raise
        if receiver.offset == upload.size_bytes:
            await database_sync_to_async(_finish)(upload, user)
    return Answer(204, {"Upload-Offset": str(receiver.offset), **_expiry()})


async def _ours(upload: Upload, stack: ExitStack) -> spool.Part:
    """The file, until `stack` is closed. Raises Refused with 423 where another has it for longer than a glance."""
    end = time.monotonic() + GLANCE_S
    while True:
        try:
            return stack.enter_context(_writing(upload))
        except Refused as refused:
            if refused.answer.status != TAKEN or time.monotonic() > end:
                raise
        await asyncio.sleep(GLANCE_OVER_EVERY_S)


def _finish(upload: Upload, user: User) -> None:
    """Have it stored, if its sender may still bring files: sending may have taken hours."""
    user.refresh_from_db()
    actions.finish_upload(upload=upload, actor=user)


@contextmanager
def _writing(upload: Upload) -> Iterator[spool.Part]:
    """`spool.writing` in the protocol's words."""
    try:
        with spool.writing(upload.uuid) as part:
            yield part
    except spool.Taken:
        raise Refused(TAKEN, "Another tab sends this file just now.") from None
    except spool.Missing:
        raise Refused(410, "Its bytes are not here any more.") from None


def _standing(upload: Upload, offset: int) -> Headers:
    return {"Upload-Offset": str(offset), "Upload-Length": str(upload.size_bytes), **_expiry()}


def _expiry() -> Headers:
    return {"Upload-Expires": protocol.http_date(timezone.now() + spool.KEPT)}
