"""DATABASE_URL to Django's DATABASES entry: SQLite by default, PostgreSQL where the URL says so."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"


def database(url: str, state_dir: Path) -> dict[str, Any]:
    """The entry for `url`; an empty one means SQLite in the state folder. Raises ValueError for other engines."""
    if not url:
        return _sqlite(state_dir / "db.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path)))
    if parts.scheme in ("postgres", "postgresql"):
        query = dict(parse_qsl(parts.query))
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": query.pop("host", parts.hostname or ""),
            "PORT": str(parts.port or ""),
            # After a restart of the server the pool holds dead connections; each is tried before it is lent.
            "CONN_HEALTH_CHECKS": True,
            # A connection per request costs 10 ms under ASGI; the pool keeps a few open in each process.
            "OPTIONS": {"pool": {"min_size": 1, "max_size": 8, "timeout": 10}, **query},
        }
    raise ValueError(f"DATABASE_URL: unknown engine {parts.scheme!r}; give sqlite:// or postgresql://")


def _sqlite(path: Path) -> dict[str, Any]:
    # IMMEDIATE takes the write lock at BEGIN, so that a reader never fails later when it turns into a writer.
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,  # opening it anew costs 1.5 ms; an open file goes stale for nobody
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": SQLITE_PRAGMAS},
        # Tests have threads and processes that meet in one database: one in memory would lock them out.
        "TEST": {"NAME": path.with_name("test.sqlite3")},
    }
