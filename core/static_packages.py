"""Front-end packages straight from `node_modules`, and file names that carry a hash of the content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

PREFIX = "npm"


class NpmFinder(BaseFinder):
    """Finds `npm/PACKAGE/PATH` for the files that `package.json` names under `panel.static`.

    Only these are published: a package's sources, tests and tools stay where npm put them.
    """

    def __init__(self, app_names: Iterable[str] | None = None, *args: Any, **kwargs: Any) -> None:
        self.root = Path(settings.BASE_DIR)
        self.modules = self.root / "node_modules"
        self.patterns: dict[str, list[str]] = json.loads((self.root / "package.json").read_text())["panel"][
            "static"
        ]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 (Django's signature)
        """The absolute path of one file, or [] as Django wants it."""
        for name, file in self._files():
            if name == path:
                return [str(file)] if find_all else str(file)
        return []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        """Every published file, with a storage that opens it under its public name."""
        storage = FileSystemStorage(location=self.modules)
        storage.prefix = PREFIX  # type: ignore[attr-defined]  # collectstatic joins it to the name
        for name, _ in self._files():
            yield name.removeprefix(f"{PREFIX}/"), storage

    def _files(self) -> Iterator[tuple[str, Path]]:
        for package, patterns in self.patterns.items():
            for pattern in patterns:
                for file in sorted((self.modules / package).glob(pattern)):
                    if file.is_file():
                        yield f"{PREFIX}/{file.relative_to(self.modules)}", file


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """WhiteNoise's storage; a reference to a source map, which we don't publish, is left as it is."""

    manifest_strict = False
    support_js_module_import_aggregation = True

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        """The name with its content's hash in it. Raises ValueError for a file that isn't there."""
        if name.strip().endswith(".map"):
            return name
        hashed: str = super().hashed_name(name, content, filename)
        return hashed
