"""`python -m console.proxy`: run the console proxy until SIGTERM or SIGINT."""

import asyncio
import logging
import os
import resource
import signal
import sys

import structlog
import uvloop
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from console.proxy.server import Proxy
from console.proxy.settings import Settings


def main() -> None:
    """Read the settings and serve; a console takes two file descriptors, so the limit goes as far as it may."""
    settings = Settings.read(os.environ)
    _log_to_stderr(settings.log_level)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _redis(settings, seconds=5) as redis, _redis(settings, seconds=None) as subscriber:
        await Proxy(settings, redis=redis, subscriber=subscriber).serve(stop)


def _redis(settings: Settings, *, seconds: float | None) -> Redis:
    """A client that outlives a restart of Redis; one that waits for messages on a quiet channel has no time-out."""
    patience = Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=5)
    return Redis.from_url(
        settings.redis_url, socket_timeout=seconds, socket_connect_timeout=5, retry=patience
    )


def _log_to_stderr(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    main()
