"""A file on its way: what is here stays here, what cannot be used is refused, and nobody else has a say."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from accounts.models import ApiToken, User
from operations.models import Operation, OperationState
from storage.models import Pool, Upload, UploadState, Volume, VolumeKind
from tests.conftest import Cast
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.stage import carry_out
from tests.storage import files
from tests.storage.site import Sender, Site, blocks

MIB = 1024 * 1024


def begun(sender: Sender, pool: Pool, content: bytes, filename: str = "debian.iso", mark: str = "") -> str:
    answer = sender.begin(pool, filename, len(content), fingerprint=mark)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def stored() -> Volume:
    """The volume that the one upload became, after its operation ran."""
    operation = carry_out(Operation.objects.get(kind="volume.import").pk)
    assert operation.state == OperationState.SUCCEEDED, operation.error
    return Volume.objects.get(uuid=operation.target_id)


class TestAFile:
    def test_lands_in_the_pool_byte_by_byte(self, sender: Sender, pool: Pool, lab_host: LabHost) -> None:
        content = files.iso()
        answer = sender.send(begun(sender, pool, content), 0, content)
        assert answer.status_code == 204, answer.text
        assert int(answer.headers["Upload-Offset"]) == len(content)

        volume = stored()
        assert volume.ready
        assert volume.kind == VolumeKind.ISO
        assert volume.format == "raw"
        assert volume.label == "debian.iso"
        assert volume.capacity_bytes == len(content)
        assert (lab_host.pool_path / volume.name).read_bytes() == content
        assert volume.sha256 == hashlib.sha256(content).hexdigest()
        assert Upload.objects.get().state == UploadState.STORED
        assert list(settings.UPLOADS_DIR.iterdir()) == []

    @pytest.mark.parametrize("percent", [1, 50, 99])
    def test_goes_on_where_the_line_was_cut(
        self, sender: Sender, pool: Pool, lab_host: LabHost, percent: int
    ) -> None:
        content = files.iso(8 * MIB)
        address = begun(sender, pool, content)
        at = len(content) * percent // 100
        sender.cut(address, content, 0, at)

        offset = wait_for_offset(sender, address, at)
        assert sender.send(address, offset, content[offset:]).status_code == 204

        assert stored().sha256 == hashlib.sha256(content).hexdigest()

    def test_survives_a_killed_panel(self, cast: Cast, pool: Pool, lab_host: LabHost) -> None:
        content, site = files.iso(8 * MIB), Site().start()
        try:
            sender = Sender(site, cast.operator)
            address = begun(sender, pool, content)
            sender.send(address, 0, content[: 2 * MIB])
            sender.cut(address, content, 2 * MIB, 5 * MIB)
            site.kill()
            site.start()

            offset = sender.offset(address)
            assert offset >= 2 * MIB, "what was confirmed was lost"
            assert sender.send(address, offset, content[offset:]).status_code == 204
        finally:
            site.close()
        assert stored().sha256 == hashlib.sha256(content).hexdigest()

    def test_that_is_here_in_full_is_stored_when_somebody_asks(self, sender: Sender, pool: Pool) -> None:
        content = files.iso()
        address = begun(sender, pool, content)
        # As a process leaves it that died between the last byte and the operation.
        (settings.UPLOADS_DIR / f"{address.rpartition('/')[2]}.part").write_bytes(content)
        assert sender.offset(address) == len(content)
        assert stored().ready
        assert sender.offset(address) == len(content)

    def test_costs_no_memory(self, sender: Sender, running_site: Site, pool: Pool) -> None:
        before = running_site.memory_kb()
        content = files.iso(96 * MIB)
        assert (
            sender.send(
                begun(sender, pool, content), 0, blocks(content), **{"Content-Length": str(len(content))}
            ).status_code
            == 204
        )
        assert running_site.memory_kb() - before < 24 * 1024


class TestTwoTabs:
    def test_the_second_waits_and_then_finds_all_of_it(
        self, sender: Sender, cast: Cast, running_site: Site, pool: Pool
    ) -> None:
        content, second = files.iso(8 * MIB), Sender(running_site, cast.operator)
        address = begun(sender, pool, content, mark="same")
        assert begun(second, pool, content, mark="same") == address

        slow = threading.Thread(target=sender.send, args=(address, 0, blocks(content, pause_s=0.02)))
        slow.start()
        wait_for_bytes(address)
        assert second.client.head(address).status_code == 423
        assert second.send(address, 0, content).status_code == 423
        slow.join()

        assert second.offset(address) == len(content)
        assert Operation.objects.filter(kind="volume.import").count() == 1
        assert stored().sha256 == hashlib.sha256(content).hexdigest()

    def test_who_only_asks_sends_nobody_away(
        self, sender: Sender, cast: Cast, running_site: Site, pool: Pool
    ) -> None:
        content, second = files.iso(2 * MIB), Sender(running_site, cast.operator)
        address = begun(sender, pool, content, mark="same")
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                second.client.head(address)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            piece = len(content) // 20
            answers = [
                sender.send(address, at, content[at : at + piece]).status_code
                for at in range(0, 10 * piece, piece)
            ]
        finally:
            over.set()
            asking.join()
        assert answers == [204] * 10

    def test_at_the_wrong_offset_nothing_is_written(self, sender: Sender, pool: Pool) -> None:
        content = files.iso()
        address = begun(sender, pool, content)
        sender.send(address, 0, content[:MIB])
        assert sender.send(address, 0, content).status_code == 409
        assert sender.send(address, 2 * MIB, content).status_code == 409
        assert sender.offset(address) == MIB


class TestWhatCannotBeUsed:
    def test_an_empty_file(self, sender: Sender, pool: Pool) -> None:
        answer = sender.begin(pool, "empty.iso", 0)
        assert answer.status_code == 422
        assert answer.json()["title"] == "The file is empty."
        assert not Upload.objects.exists()

    def test_a_file_larger_than_the_pool(self, sender: Sender, pool: Pool) -> None:
        answer = sender.begin(pool, "big.iso", pool.available_bytes + 1)
        assert answer.status_code == 422
        assert "free" in answer.json()["title"]

    def test_space_that_another_upload_was_promised(self, sender: Sender, pool: Pool) -> None:
        Pool.objects.filter(pk=pool.pk).update(available_bytes=10 * MIB)
        assert sender.begin(pool, "a.iso", 6 * MIB).status_code == 201
        assert sender.begin(pool, "b.iso", 6 * MIB).status_code == 422

    def test_a_truncated_iso_is_refused_by_its_first_bytes(self, sender: Sender, pool: Pool) -> None:
        content = files.iso(8 * MIB, promises=9 * MIB)
        address = begun(sender, pool, content)
        answer = sender.send(address, 0, content[: 2 * MIB])
        assert answer.status_code == 422
        assert "cut short" in answer.json()["title"]
        assert Upload.objects.get().state == UploadState.REFUSED
        assert sender.client.head(address).status_code == 410
        assert list(settings.UPLOADS_DIR.iterdir()) == []
        assert not Volume.objects.filter(ours=True).exists()

    def test_a_qcow2_in_disguise(self, sender: Sender, pool: Pool, tmp_path: Path) -> None:
        content = files.image(tmp_path, "qcow2")
        answer = sender.send(begun(sender, pool, content, "debian.iso"), 0, content)
        assert answer.status_code == 422
        assert "qcow2" in answer.json()["title"]
        assert not Operation.objects.exists()

    def test_more_bytes_than_promised(self, sender: Sender, pool: Pool) -> None:
        content = files.iso()
        address = begun(sender, pool, content)
        assert sender.send(address, 0, content + b"more").status_code == 413

    def test_damaged_on_its_way(self, sender: Sender, pool: Pool) -> None:
        content = files.iso()
        address = begun(sender, pool, content)
        right = base64.b64encode(hashlib.sha256(content[:MIB]).digest()).decode()
        headers = {"Upload-Checksum": f"sha256 {right}"}
        assert sender.send(address, 0, content[1 : MIB + 1], **headers).status_code == 460
        assert sender.offset(address) == 0
        assert sender.send(address, 0, content[:MIB], **headers).status_code == 204
        assert sender.offset(address) == MIB

    @pytest.mark.parametrize(
        ("filename", "label"),
        [
            ("../x", "x"),
            ("C:\\isos\\win.iso", "win.iso"),
            ("<b>.iso", "<b>.iso"),
            ("a\nb\x00c.iso", "abc.iso"),
            ("\u202egpj.iso", "gpj.iso"),
            ("..", "unnamed"),
            ("", "unnamed"),
            ("x" * 300 + ".iso", "x" * 179 + "…" + "x" * 16 + ".iso"),
        ],
    )
    def test_hostile_names_are_labels_and_nothing_else(
        self, sender: Sender, pool: Pool, filename: str, label: str
    ) -> None:
        begun(sender, pool, files.iso(MIB), filename)
        upload = Upload.objects.get()
        assert upload.filename == label
        assert [path.name for path in settings.UPLOADS_DIR.iterdir()] == [f"{upload.uuid}.part"]

    def test_more_at_once_than_a_person_may(self, sender: Sender, pool: Pool) -> None:
        for number in range(8):
            assert sender.begin(pool, f"{number}.iso", MIB).status_code == 201
        answer = sender.begin(pool, "one more.iso", MIB)
        assert answer.status_code == 422
        assert "unfinished" in answer.json()["title"]

    @pytest.mark.parametrize(
        "headers",
        [
            {"Upload-Length": "-1"},
            {"Upload-Length": "ten"},
            {"Upload-Length": "99999999999999999999"},
            {"Upload-Length": "10", "Upload-Metadata": "filename !!!"},
            {},
        ],
    )
    def test_malformed_headers(self, sender: Sender, headers: dict[str, str]) -> None:
        assert sender.client.post("/uploads/", headers=headers).status_code in (400, 404)


class TestWhoMaySend:
    def test_a_stranger_may_not(self, running_site: Site, cast: Cast, pool: Pool) -> None:
        assert Sender(running_site, None).begin(pool, "a.iso", MIB).status_code == 401
        for user in (cast.stranger, cast.lead, cast.auditor):
            assert Sender(running_site, user).begin(pool, "a.iso", MIB).status_code == 404

    def test_another_operator_may_not_touch_it(
        self, sender: Sender, running_site: Site, cast: Cast, pool: Pool
    ) -> None:
        address, other = begun(sender, pool, files.iso(MIB)), Sender(running_site, cast.superuser)
        assert other.client.head(address).status_code == 404
        assert other.send(address, 0, b"x").status_code == 404
        assert other.client.delete(address).status_code == 404

    def test_another_site_may_not(self, running_site: Site, cast: Cast, pool: Pool) -> None:
        for origin in ("https://evil.example", "https://localhost", "null", ""):
            assert Sender(running_site, cast.operator, Origin=origin).begin(pool, "a", MIB).status_code == 403

    def test_a_page_without_the_csrf_token_may_not(self, running_site: Site, cast: Cast, pool: Pool) -> None:
        sender = Sender(running_site, cast.operator, **{"X-CSRFToken": "b" * 32})
        assert sender.begin(pool, "a.iso", MIB).status_code == 403

    def test_a_wrong_host_is_no_address_of_ours(self, running_site: Site, cast: Cast, pool: Pool) -> None:
        assert Sender(running_site, cast.operator, Host="evil.example").begin(pool, "a", 1).status_code == 400

    def test_a_token_may(self, running_site: Site, cast: Cast, pool: Pool) -> None:
        token = ApiToken.fresh()
        ApiToken.objects.create(user=cast.operator, name="ci", digest=ApiToken.hash(token))
        sender = Sender(running_site, None, Authorization=f"Bearer {token}", Origin="")
        assert sender.begin(pool, "a.iso", MIB).status_code == 201

    def test_a_lost_role_ends_it(self, sender: Sender, cast: Cast, pool: Pool) -> None:
        address = begun(sender, pool, files.iso(MIB))
        cast.operator.role = "auditor"
        cast.operator.save()
        assert sender.client.head(address).status_code == 404

    def test_a_role_lost_while_the_bytes_come_ends_it(self, sender: Sender, cast: Cast, pool: Pool) -> None:
        content = files.iso(4 * MIB)
        address = begun(sender, pool, content)
        part = settings.UPLOADS_DIR / f"{address.rpartition('/')[2]}.part"

        def losing_it() -> Iterator[bytes]:
            yield from blocks(content[: 3 * MIB])
            eventually(lambda: part.stat().st_size >= MIB, within_s=10)
            User.objects.filter(pk=cast.operator.pk).update(role="auditor")
            yield from blocks(content[3 * MIB :])

        assert sender.send(address, 0, losing_it()).status_code == 403
        assert not Operation.objects.exists()


class TestTheProtocol:
    def test_tells_what_it_can(self, sender: Sender) -> None:
        answer = sender.client.options("/uploads/")
        assert answer.status_code == 204
        assert answer.headers["Tus-Version"] == "1.0.0"
        assert "creation" in answer.headers["Tus-Extension"]

    def test_speaks_no_other_version(self, sender: Sender) -> None:
        answer = sender.client.post("/uploads/", headers={"Tus-Resumable": "0.2.2"})
        assert answer.status_code == 412
        assert answer.headers["Tus-Version"] == "1.0.0"

    def test_wants_its_own_content_type(self, sender: Sender, pool: Pool) -> None:
        address = begun(sender, pool, files.iso(MIB))
        assert sender.send(address, 0, b"x", **{"Content-Type": "text/plain"}).status_code == 415

    def test_forgets_an_upload(self, sender: Sender, pool: Pool) -> None:
        address = begun(sender, pool, files.iso(MIB))
        assert sender.client.delete(address).status_code == 204
        assert sender.client.head(address).status_code == 404
        assert list(settings.UPLOADS_DIR.iterdir()) == []

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
    def test_refuses_other_methods(self, sender: Sender, method: str) -> None:
        assert sender.client.request(method, "/uploads/").status_code == 405


def wait_for_offset(sender: Sender, address: str, offset: int) -> int:
    """The panel may need a moment to begin with what was sent, and to see that the line is dead."""
    seen = ""
    for _ in range(200):
        answer = sender.client.head(address)
        assert answer.status_code in {200, 423}
        seen = answer.headers["Upload-Offset"] if answer.status_code == 200 else "locked"
        if seen == str(offset):
            return offset
        assert seen in {"0", "locked"}, "not begun, or not given up yet"
        time.sleep(0.05)
    raise AssertionError(f"the upload stayed at {seen}, not {offset}")


def wait_for_bytes(address: str) -> None:
    path = settings.UPLOADS_DIR / f"{address.rpartition('/')[2]}.part"
    for _ in range(200):
        if path.stat().st_size:
            return
        time.sleep(0.02)
    raise AssertionError("nothing came")
