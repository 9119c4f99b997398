from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import Crew


@pytest.fixture
def crew(transactional_db: None, tmp_path: Path) -> Iterator[Crew]:
    """A worker and a beat of this test's own."""
    folder = tmp_path / "crew"
    folder.mkdir()
    with Crew(folder) as crew:
        yield crew
