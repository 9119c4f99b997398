from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from hosts.models import Host
from storage.models import Pool
from tests.conftest import Cast
from tests.lab.host import LabHost
from tests.stage import adopt
from tests.storage.site import Sender, Site


@pytest.fixture
def pool(transactional_db: None, lab_host: LabHost) -> Pool:
    """Pool `default` of a real host, empty before and after."""
    host: Host = adopt(lab_host)
    pool: Pool = Pool.objects.select_related("host").get(host=host, name="default")
    return pool


@pytest.fixture(autouse=True)
def tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test leaves the pool and the uploads folder as empty as it found them."""
    yield
    for path in settings.UPLOADS_DIR.glob("*"):
        path.unlink()
    if "lab_host" in request.fixturenames:
        lab: LabHost = request.getfixturevalue("lab_host")
        for path in lab.pool_path.iterdir():
            path.unlink()
        lab.virsh("pool-refresh", "default")


@pytest.fixture(scope="module")
def running_site(django_db_setup: None) -> Iterator[Site]:
    """One web process for a whole module: it takes a second to start."""
    site = Site().start()
    yield site
    site.close()


@pytest.fixture
def sender(running_site: Site, cast: Cast, pool: Pool) -> Sender:
    """The operator's tab."""
    return Sender(running_site, cast.operator)
