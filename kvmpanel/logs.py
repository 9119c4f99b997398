"""One log line per fact, as JSON on stderr; the supervisor keeps the files and turns them over."""

import logging.config
import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_unused = [name for name in ("rich", "twisted") if name not in _modules]
# structlog loads these where a developer's tools have brought them, and nothing here uses them: 10 MB a process.
_modules.update(dict.fromkeys(_unused))

import structlog  # noqa: E402

for _name in _unused:
    del _modules[_name]


def configure_logging(*, level: str, plain: bool) -> None:
    """Send the standard library's and structlog's lines through one formatter; `plain` is for reading by eye."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if plain else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "panel": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "panel"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "django.request": {"level": "ERROR"},
                # Anybody can bring these about, each with a page of traceback; nginx's log has the requests.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                "axes": {"level": "WARNING"},
                "celery": {"level": "WARNING"},
            },
        }
    )
