"""The lab as pytest fixtures; loaded by `pytest_plugins` in the topmost conftest."""

from collections.abc import Iterator

import pytest

from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.remote import RemoteHost


@pytest.fixture(scope="session")
def lab_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """One private libvirt host for the whole run; each test leaves it as empty as it was."""
    with LabHost(tmp_path_factory.mktemp("lab"), quick=True) as host:
        yield host


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two hosts on a network of their own for the whole run; each test leaves them as empty as they were."""
    with Lab(tmp_path_factory.mktemp("net"), quick=True) as lab:
        lab.up(2)
        yield lab


@pytest.fixture
def remote_host(lab: Lab) -> Iterator[RemoteHost]:
    """The first of them; what a test did to its line and its daemon is undone."""
    host = lab.hosts[0]
    yield host
    host.restore()
