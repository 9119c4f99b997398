"""The proxy's share of the panel's settings, from the environment; `docs/settings.md` lists each of them.

Read without pydantic: the proxy is the process that many consoles share, and stays small.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SESSION_COOKIE = "__Host-panel-session"
REPOSITORY = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`listen` is the path of a unix socket, or an address and a port; `tunnels` the folder of other hosts' screens."""

    listen: Path | tuple[str, int]
    tunnels: Path
    origins: frozenset[str]
    redis_url: str
    session_cookie: str = SESSION_COOKIE
    per_person: int = 16
    log_level: str = "INFO"
    handshake_seconds: float = 10
    ping_seconds: float = 20
    dead_seconds: float = 60
    parting_seconds: float = 2

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises ValueError for a number or an address that is none, FileNotFoundError without a Redis password."""
        state = Path(environment.get("PANEL_STATE_DIR") or REPOSITORY / "var").expanduser().absolute()
        return cls(
            listen=_address(environment.get("PANEL_CONSOLE_LISTEN", "")) or state / "run" / "console.sock",
            tunnels=state / "run",
            origins=_origins(
                environment.get("PANEL_HOSTNAMES") or "localhost,127.0.0.1",
                int(environment.get("PANEL_PORT") or 8443),
            ),
            redis_url=environment.get("REDIS_URL") or _private_redis(state),
            per_person=int(environment.get("PANEL_CONSOLES_PER_PERSON") or 16),
            log_level=environment.get("PANEL_LOG_LEVEL") or "INFO",
        )


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host:
        raise ValueError(f"PANEL_CONSOLE_LISTEN is not HOST:PORT: {text!r}")
    return host, int(port)


def _origins(hostnames: str, port: int) -> frozenset[str]:
    suffix = "" if port == 443 else f":{port}"
    return frozenset(f"https://{name.strip()}{suffix}" for name in hostnames.split(",") if name.strip())


def _private_redis(state: Path) -> str:
    password = (state / "secrets" / "redis_password").read_text().strip()
    return f"unix://:{quote(password, safe='')}@{state / 'run' / 'redis.sock'}"
