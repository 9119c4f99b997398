"""Uploads that nobody comes back to give their space back."""

from __future__ import annotations

import os
import time
from uuid import uuid4

import pytest
from django.utils import timezone

from hosts.models import Host
from storage import spool
from storage.models import Pool, Upload, UploadState
from storage.tasks import sweep_uploads
from tests.conftest import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def upload(host: Host, cast: Cast) -> Upload:
    pool = Pool.objects.create(host=host, uuid=uuid4(), name="default", kind="dir", state="running")
    upload = Upload.objects.create(owner=cast.operator, pool=pool, filename="a.iso", size_bytes=10)
    spool.begin(upload.uuid)
    return upload


def age(upload: Upload) -> None:
    Upload.objects.update(touched_at=timezone.now() - spool.KEPT * 1.01)
    an_hour_ago = time.time() - 3600
    os.utime(spool.path_of(upload.uuid), (an_hour_ago, an_hour_ago))


def test_one_that_is_fresh_stays(upload: Upload) -> None:
    sweep_uploads()
    assert spool.path_of(upload.uuid).exists()
    assert Upload.objects.exists()


def test_a_stale_one_goes_with_its_bytes(upload: Upload) -> None:
    age(upload)
    sweep_uploads()
    assert not spool.path_of(upload.uuid).exists()
    assert not Upload.objects.exists()


def test_one_that_is_being_stored_stays(upload: Upload) -> None:
    age(upload)
    Upload.objects.update(state=UploadState.STORING)
    sweep_uploads()
    assert spool.path_of(upload.uuid).exists()


def test_bytes_that_belong_to_nothing_go(upload: Upload) -> None:
    age(upload)
    Upload.objects.all().delete()
    sweep_uploads()
    assert not spool.path_of(upload.uuid).exists()


def test_a_file_whose_row_is_not_committed_yet_stays(upload: Upload) -> None:
    Upload.objects.all().delete()
    sweep_uploads()
    assert spool.path_of(upload.uuid).exists()
