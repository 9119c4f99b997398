"""Uploads leave room on the panel's own disk for what the panel lives by."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from core.errors import InvalidInput
from hosts.models import Host
from storage import actions, spool
from storage.models import Pool, Upload
from storage.uploads.protocol import Refused
from storage.uploads.receiving import Receiver
from tests.conftest import Cast

MORE_THAN_THERE_IS = 2**62


@pytest.fixture
def roomy(host: Host) -> Pool:
    space = {"capacity_bytes": 10**12, "available_bytes": 10**12}
    return Pool.objects.create(host=host, uuid=uuid4(), name="default", kind="dir", state="running", **space)


def begin(pool: Pool, cast: Cast) -> Upload:
    return actions.begin_upload(
        pool=pool, filename="a.iso", size_bytes=4, fingerprint="", actor=cast.operator
    )


@pytest.mark.django_db(transaction=True)
class TestReserve:
    def test_no_upload_is_begun_that_would_need_it(
        self, roomy: Pool, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(spool, "RESERVED_BYTES", MORE_THAN_THERE_IS)

        with pytest.raises(InvalidInput, match="own disk"):
            begin(roomy, cast)

    def test_one_under_way_stops_before_it(
        self, roomy: Pool, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload = begin(roomy, cast)
        monkeypatch.setattr(spool, "RESERVED_BYTES", MORE_THAN_THERE_IS)

        async def body() -> dict[str, Any]:
            return {"type": "http.request", "body": b"1234"}

        with spool.writing(upload.uuid) as part:
            with pytest.raises(Refused) as refused:
                asyncio.run(Receiver(upload, part, None).take(body))
            assert part.size == 0
        assert refused.value.answer.status == 507
