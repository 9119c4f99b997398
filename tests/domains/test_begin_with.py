"""A new machine that begins with a disk: a copy of an image, or a disk that is there."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from core.errors import Conflict, InvalidInput, TargetBusy
from domains.actions.create import create
from domains.models import Domain
from operations.models import OperationState
from storage import actions
from storage.models import Pool, Volume
from tests.conftest import Cast, browser_of
from tests.domains.test_clone import disk_of, finished, info, reads, tidy, write
from tests.lab.host import LabHost
from tests.stage import carry_out

__all__ = ["tidy"]
GIB = 2**30


@pytest.fixture
def image(real_host: Any, cast: Cast, lab_host: LabHost) -> Volume:
    """A disk of 1 GiB with a word in it, that no machine has."""
    pool = Pool.objects.get(host=real_host, name="default")
    made = actions.create_volume(
        pool=pool, label="debian", format="qcow2", capacity_bytes=GIB, actor=cast.operator
    )
    finished(made)
    volume = Volume.objects.get(label="debian")
    write(lab_host, volume.path, "word")
    return volume


def test_a_copy_of_an_image_grows_to_the_size_asked_for(
    ask: Any, cast: Cast, image: Volume, lab_host: LabHost
) -> None:
    finished(create(new=ask(image=image, disk_gib=3), actor=cast.operator))
    path = disk_of(Domain.objects.get(name="web1"))
    assert path != image.path
    assert info(lab_host, path)["virtual-size"] == 3 * GIB
    assert reads(lab_host, path, "word")
    assert Volume.objects.present().filter(pk=image.pk).exists()


def test_a_disk_that_is_there_becomes_the_machines_own(
    ask: Any, cast: Cast, image: Volume, lab_host: LabHost
) -> None:
    operation = create(new=ask(image=image, as_it_is=True), actor=cast.operator)
    with pytest.raises(InvalidInput) as taken:
        create(
            new=ask(name="web2", image=Volume.objects.get(pk=image.pk), as_it_is=True), actor=cast.operator
        )
    assert taken.value.field == "image"
    finished(operation)
    assert disk_of(Domain.objects.get(name="web1")) == image.path
    assert Volume.objects.present().filter(pk=image.pk).exists()
    with pytest.raises(InvalidInput, match="in use by web1"):
        create(new=ask(name="web2", image=Volume.objects.get(pk=image.pk)), actor=cast.operator)


def test_a_failed_machine_gives_the_disk_back(ask: Any, cast: Cast, image: Volume, lab_host: LabHost) -> None:
    operation = create(new=ask(image=image, as_it_is=True), actor=cast.operator)
    other = lab_host.root / "other.xml"
    other.write_text(
        "<domain type='qemu'><name>web1</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    )
    lab_host.virsh("define", str(other))
    assert carry_out(operation.pk).state == OperationState.FAILED
    assert Volume.objects.present().filter(pk=image.pk).exists()
    assert info(lab_host, image.path)["virtual-size"] == GIB


def test_an_image_stays_while_it_is_copied(ask: Any, cast: Cast, image: Volume) -> None:
    create(new=ask(image=image), actor=cast.operator)
    with pytest.raises((TargetBusy, Conflict)):
        actions.delete_volume(volume=image, actor=cast.operator)


def test_less_than_the_image_has_is_told_beside_the_size(ask: Any, cast: Cast, image: Volume) -> None:
    Volume.objects.filter(pk=image.pk).update(capacity_bytes=20 * GIB)
    image.refresh_from_db()
    with pytest.raises(InvalidInput, match="alone has 20 GiB") as small:
        create(new=ask(image=image, disk_gib=5), actor=cast.operator)
    assert small.value.field == "disk_gib"


class TestPage:
    def test_an_image_says_where_and_how_large(self, cast: Cast, image: Volume) -> None:
        page = browser_of(cast.operator).get("/machines/new/?source=image").content.decode()
        assert "debian (1 GiB, qcow2)" in page
        assert 'name="host"' not in page

    @pytest.mark.parametrize("source", ["image", "disk"])
    def test_makes_it(self, cast: Cast, image: Volume, source: str) -> None:
        browser: Client = browser_of(cast.operator)
        sent = {
            "source": source,
            "image": image.uuid,
            "name": "web1",
            "vcpus": 1,
            "memory_mib": 128,
            "key": str(uuid4()),
        }
        if source == "image":
            sent |= {"pool": image.pool.uuid, "disk_gib": 2, "disk_format": "qcow2"}
        sent["firmware"] = "bios"
        answer = browser.post("/machines/new/", sent)
        assert answer.status_code == 302, answer.content.decode()[:2000]
        assert Domain.objects.filter(name="web1").exists()

    def test_without_a_disk_it_says_what_to_do(self, cast: Cast, real_host: Any) -> None:
        page = browser_of(cast.operator).get("/machines/new/?source=disk").content.decode()
        assert "No disk is free" in page
        # What is stored while one looks turns it into the form.
        assert 'hx-trigger="volume-stored from:body"' in page

    def test_templates_are_listed_with_their_button(self, cast: Cast, real_host: Any) -> None:
        domain = Domain.objects.create(host=real_host, name="base", template=True)
        page = browser_of(cast.operator).get("/machines/new/from-template/").content.decode()
        assert f"/machines/{domain.uuid}/clone/" in page

    def test_choosing_another_disk_draws_the_whole_form_anew(self, cast: Cast, image: Volume) -> None:
        """With the size of the machine that the file said it came from."""
        Volume.objects.filter(pk=image.pk).update(hints={"vcpus": 3, "memory_mib": 1536})
        page = browser_of(cast.operator).get("/machines/new/?source=image").content.decode()
        section = page[: page.index('name="image"')].rpartition("<section")[2]
        assert 'hx-target="#new-domain"' in section
        assert "hx-select" not in section
        typed = {
            "source": "image",
            "image": str(image.uuid),
            "name": "web1",
            "vcpus": "1",
            "memory_mib": "2048",
        }
        answer = browser_of(cast.operator).get(
            "/machines/new/form/", typed, headers={"hx-request": "true", "hx-trigger-name": "image"}
        )
        form = answer.context["form"]
        assert (form["vcpus"].value(), form["memory_mib"].value()) == (3, 1536)
        assert form["name"].value() == "web1"
