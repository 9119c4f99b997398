"""The lab as pytest fixtures; loaded by `pytest_plugins` in the topmost conftest."""

from collections.abc import Iterator

import pytest

from tests.lab.host import LabHost


@pytest.fixture(scope="session")
def lab_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """One private libvirt host for the whole run; each test leaves it as empty as it was."""
    with LabHost(tmp_path_factory.mktemp("lab")) as host:
        yield host
