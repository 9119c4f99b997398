"""Storage's pages and REST: who sees what, and that buttons do what they say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from core import live
from hosts.models import Host
from operations.models import Operation
from storage import usage
from storage.models import Pool, Upload, UploadState, Volume, VolumeKind
from storage.usage import Use
from tests.conftest import Cast, browser_of

GIB = 1024**3


@pytest.fixture
def shelf(host: Host) -> Pool:
    """A pool as last seen; no libvirt behind it."""
    return Pool.objects.create(
        host=host, uuid=uuid4(), name="default", kind="dir", state="running", path="/pool",
        capacity_bytes=100 * GIB, allocation_bytes=20 * GIB, available_bytes=80 * GIB,
    )  # fmt: skip


@pytest.fixture
def book(shelf: Pool) -> Volume:
    return Volume.objects.create(
        pool=shelf, label="<b>debian</b>.iso", name="a.iso", path="/pool/a.iso", kind=VolumeKind.ISO,
        format="raw", ours=True, capacity_bytes=GIB, allocation_bytes=GIB,
    )  # fmt: skip


@pytest.fixture
def parcel(shelf: Pool, cast: Cast) -> Upload:
    return Upload.objects.create(
        owner=cast.operator, pool=shelf, filename="new.iso", size_bytes=GIB, offset_bytes=GIB // 2
    )


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Callable[[Volume], None]:
    """Makes a machine use a volume."""

    def use(volume: Volume) -> None:
        monkeypatch.setattr(usage, "_checks", [lambda host, paths: {volume.path: [Use("web1", "/m/")]}])

    return use


def addresses(book: Volume, parcel: Upload) -> dict[str, str]:
    pool, volume, upload = [book.pool.uuid], [book.uuid], [parcel.uuid]
    return {
        "list": reverse("storage:list"),
        "pool": reverse("storage:pool", args=pool),
        "volume": reverse("storage:volume", args=volume),
        "new_volume": reverse("storage:new_volume", args=pool),
        "refresh": reverse("storage:refresh", args=pool),
        "delete_volume": reverse("storage:delete_volume", args=volume),
        "discard_upload": reverse("storage:discard_upload", args=upload),
        "store_upload": reverse("storage:store_upload", args=upload),
    }


class TestWhoSees:
    def test_pages(self, cast: Cast, book: Volume, parcel: Upload) -> None:
        pages = addresses(book, parcel)
        for name, user in cast.people().items():
            browser = browser_of(user)
            expected = 200 if name in ("superuser", "operator", "auditor") else 404
            assert browser.get(pages["list"]).status_code == (200 if expected == 200 else 403), name
            for page in ("pool", "volume"):
                assert browser.get(pages[page]).status_code == expected, (name, page)
            expected = 200 if name in ("superuser", "operator") else 404
            assert browser.get(pages["new_volume"]).status_code == expected, name

    def test_buttons(self, cast: Cast, book: Volume, parcel: Upload) -> None:
        pages = addresses(book, parcel)
        for name in ("auditor", "lead", "member", "stranger"):
            browser = browser_of(cast.people()[name])
            for page in ("refresh", "delete_volume", "discard_upload", "store_upload", "new_volume"):
                assert browser.post(pages[page]).status_code == 404, (name, page)
        for page in ("discard_upload", "store_upload"):
            assert browser_of(cast.superuser).post(pages[page]).status_code == 404, "an upload is its owner's"

    def test_buttons_take_no_get(self, operator: Client, book: Volume, parcel: Upload) -> None:
        pages = addresses(book, parcel)
        for page in ("refresh", "delete_volume", "discard_upload", "store_upload"):
            assert operator.get(pages[page]).status_code == 405, page

    def test_live_pieces(self, cast: Cast, book: Volume, parcel: Upload) -> None:
        keys = {"storage": "all", "pool": str(book.pool.uuid), "uploads": "all"}
        for kind, key in keys.items():
            topic = live.topic(kind)
            assert topic is not None
            assert topic.render(cast.operator, key) is not None, kind
            assert topic.render(cast.stranger, key) is None, kind
            assert topic.render(cast.operator, "nonsense") is None, kind
        uploads = live.topic("uploads")
        assert uploads is not None
        assert "new.iso" in (uploads.render(cast.operator, "all") or "")
        assert "new.iso" not in (uploads.render(cast.superuser, "all") or "")

    def test_rest(self, cast: Cast, book: Volume) -> None:
        paths = {
            "/api/v1/storage/pools": 403,
            f"/api/v1/storage/pools/{book.pool.uuid}": 404,
            f"/api/v1/storage/pools/{book.pool.uuid}/volumes": 404,
            f"/api/v1/storage/volumes/{book.uuid}": 404,
        }
        for path, refusal in paths.items():
            assert browser_of(cast.auditor).get(path).status_code == 200, path
            assert browser_of(cast.stranger).get(path).status_code == refusal, path
        assert browser_of(cast.operator).get("/api/v1/storage/uploads").status_code == 200
        assert browser_of(cast.auditor).get("/api/v1/storage/uploads").status_code == 403


class TestWhatIsShown:
    def test_names_are_text(self, operator: Client, book: Volume) -> None:
        for address in (
            reverse("storage:pool", args=[book.pool.uuid]),
            reverse("storage:volume", args=[book.uuid]),
        ):
            page = operator.get(address).content.decode()
            assert "&lt;b&gt;debian&lt;/b&gt;.iso" in page
            assert "<b>debian" not in page

    def test_who_uses_a_volume(self, operator: Client, book: Volume, used: Callable[[Volume], None]) -> None:
        used(book)
        page = operator.get(reverse("storage:volume", args=[book.uuid])).content.decode()
        assert '<a href="/m/">web1</a>' in page
        assert reverse("storage:delete_volume", args=[book.uuid]) not in page

    def test_an_upload_that_ended_leaves_the_page_but_not_rest(
        self, operator: Client, parcel: Upload
    ) -> None:
        def shows() -> bool:
            return "new.iso" in operator.get(reverse("storage:drop")).content.decode()

        Upload.objects.update(state=UploadState.STORED)
        assert shows()
        Upload.objects.update(touched_at=timezone.now() - timedelta(minutes=11))
        assert not shows()
        assert len(operator.get("/api/v1/storage/uploads").json()) == 1
        Upload.objects.update(state=UploadState.RECEIVING)
        assert shows()

    def test_an_auditor_has_no_buttons(self, cast: Cast, book: Volume) -> None:
        page = browser_of(cast.auditor).get(reverse("storage:pool", args=[book.pool.uuid])).content.decode()
        assert "data-drop" not in page
        assert "Delete" not in page
        assert "New disk" not in page

    def test_pools_of_one_uuid_are_told_apart_by_their_host(self, operator: Client, shelf: Pool) -> None:
        twin = Host.objects.create(name="kvm2")
        other = Pool.objects.create(host=twin, uuid=shelf.uuid, name="copy", kind="dir", state="running")
        assert "copy on kvm2" in operator.get(other.get_absolute_url()).content.decode()
        assert "default on kvm1" in operator.get(shelf.get_absolute_url()).content.decode()
        assert operator.get(reverse("storage:pool", args=[shelf.uuid]) + "?host=nonsense").status_code == 404

    @pytest.mark.parametrize("query", ["page=-1", "page=x", "kind=<b>", "q=" + "x" * 5000, "q=%00"])
    def test_hostile_queries(self, operator: Client, book: Volume, query: str) -> None:
        address = reverse("storage:pool", args=[book.pool.uuid])
        assert operator.get(f"{address}?{query}").status_code == 200

    def test_as_many_queries_for_many_as_for_one(self, operator: Client, book: Volume) -> None:
        page = reverse("storage:pool", args=[book.pool.uuid])
        few = count_queries(operator, page, reverse("storage:list"))
        Volume.objects.bulk_create(
            Volume(pool=book.pool, name=f"{n}.img", path=f"/pool/{n}.img") for n in range(90)
        )
        assert count_queries(operator, page, reverse("storage:list")) == few


class TestANewDisk:
    def give(self, operator: Client, shelf: Pool, **changes: Any) -> Any:
        given = {"label": "data", "format": "qcow2", "capacity_gib": 5, "key": "k"}
        return operator.post(reverse("storage:new_volume", args=[shelf.uuid]), {**given, **changes})

    def test_is_asked_for(self, operator: Client, shelf: Pool) -> None:
        assert self.give(operator, shelf).status_code == 302
        assert Operation.objects.get().kind == "volume.create"
        assert Volume.objects.get().capacity_bytes == 5 * GIB

    def test_is_asked_for_once(self, operator: Client, shelf: Pool) -> None:
        self.give(operator, shelf)
        assert self.give(operator, shelf).status_code == 302
        assert Volume.objects.count() == 1

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"label": ""}, "required"),
            ({"label": "x" * 300}, "at most 200"),
            ({"label": "a\u2028b"}, "one line"),
            ({"capacity_gib": 0}, "greater than or equal to 1"),
            ({"capacity_gib": 10 * 1024**3}, "At most 64 TiB"),
            ({"capacity_gib": 81, "format": "raw"}, "80 GiB free"),
            ({"format": "vmdk"}, "valid choice"),
        ],
    )
    def test_what_is_wrong_stands_beside_it(
        self, operator: Client, shelf: Pool, changes: dict[str, Any], words: str
    ) -> None:
        answer = self.give(operator, shelf, **changes)
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not Volume.objects.exists()

    def test_nothing_at_all_is_wrong_too(self, operator: Client, shelf: Pool) -> None:
        assert operator.post(f"/storage/pools/{shelf.uuid}/new/").status_code == 422

    def test_over_rest(self, operator: Client, shelf: Pool, settings: Any) -> None:
        path = f"/api/v1/storage/pools/{shelf.uuid}/volumes"
        body = {"label": "data", "capacity_bytes": 10 * 2**60}
        answer = post(operator, path, body, settings)
        assert answer.status_code == 422
        assert answer.json()["field"] == "capacity_bytes"
        answer = post(operator, path, {"label": "data", "capacity_bytes": GIB + 1}, settings)
        assert answer.status_code == 202
        volume = Volume.objects.get(uuid=UUID(answer.json()["target_id"]))
        assert volume.capacity_bytes == GIB + 1024**2


class TestDeleting:
    def test_is_an_operation(self, operator: Client, book: Volume) -> None:
        answer = operator.post(
            reverse("storage:delete_volume", args=[book.uuid]), headers={"HX-Request": "true"}
        )
        assert answer.status_code == 200
        assert Operation.objects.get().kind == "volume.delete"
        assert not Volume.objects.present().exists()

    def test_is_refused_while_something_uses_it(
        self, operator: Client, book: Volume, used: Callable[[Volume], None]
    ) -> None:
        used(book)
        answer = operator.post(reverse("storage:delete_volume", args=[book.uuid]))
        assert answer.status_code == 409
        assert "in use by web1" in answer.content.decode()
        assert not Operation.objects.exists()

    def test_is_refused_while_another_is_based_on_it(self, operator: Client, book: Volume) -> None:
        Volume.objects.create(pool=book.pool, name="layer.qcow2", backing_path=book.path)
        answer = operator.post(reverse("storage:delete_volume", args=[book.uuid]))
        assert answer.status_code == 409
        assert "layer.qcow2 is based on" in answer.content.decode()

    def test_of_an_upload_forgets_it(self, operator: Client, parcel: Upload) -> None:
        address = reverse("storage:discard_upload", args=[parcel.uuid])
        Upload.objects.update(state=UploadState.STORING)
        assert operator.post(address).status_code == 409
        Upload.objects.update(state=UploadState.RECEIVING)
        assert operator.post(address).status_code == 302
        assert not Upload.objects.exists()


def count_queries(browser: Client, *pages: str) -> int:
    browser.get(pages[0])  # what is read once and kept is not the page's cost
    with CaptureQueriesContext(connection) as queries:
        for page in pages:
            browser.get(page)
    return len(queries)


def post(browser: Client, path: str, body: dict[str, Any], settings: Any) -> Any:
    secret = "a" * 32
    browser.cookies[settings.CSRF_COOKIE_NAME] = secret
    return browser.post(
        path, body, content_type="application/json",
        headers={"X-CSRFToken": secret, "Origin": settings.PANEL_ORIGINS[0]}, secure=True,
    )  # fmt: skip
