from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import Crew, environment_of_workers
from tests.faults.nursery import Nursery


@pytest.fixture(scope="session")
def nursery(django_db_setup: None) -> Iterator[Nursery]:
    with Nursery(environment_of_workers()) as nursery:
        yield nursery


@pytest.fixture
def crew(transactional_db: None, nursery: Nursery, tmp_path: Path) -> Iterator[Crew]:
    """A worker and a beat of this test's own."""
    folder = tmp_path / "crew"
    folder.mkdir()
    with Crew(folder, nursery) as crew:
        yield crew
