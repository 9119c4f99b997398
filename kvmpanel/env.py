"""The settings a person may give, read once from the environment. `docs/settings.md` lists each of them."""

from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(BaseSettings):
    """One attribute per variable; the attribute's alias is the variable's name."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True)

    state_dir: Path = Field(default=BASE_DIR / "var", alias="PANEL_STATE_DIR")
    port: int = Field(default=8443, ge=1, le=65535, alias="PANEL_PORT")
    hostnames: str = Field(default="localhost,127.0.0.1", alias="PANEL_HOSTNAMES")
    database_url: str = Field(default="", alias="DATABASE_URL")
    redis_url: str = Field(default="", alias="REDIS_URL")
    libvirt_socket: str = Field(default="", alias="PANEL_LIBVIRT_SOCKET")
    log_level: str = Field(default="INFO", alias="PANEL_LOG_LEVEL")
    # Read by console.proxy for itself; here so that one table names and checks every setting.
    consoles_per_person: int = Field(default=16, ge=1, alias="PANEL_CONSOLES_PER_PERSON")
    console_listen: str = Field(default="", alias="PANEL_CONSOLE_LISTEN")
    # Of the worker's children, see launcher.services: the others are kept free for what takes seconds.
    long_operations: int = Field(default=4, ge=1, alias="PANEL_LONG_OPERATIONS")
    # How long a deleted machine can be restored; 0: deleting is for good.
    trash_days: int = Field(default=7, ge=0, le=3650, alias="PANEL_TRASH_DAYS")
    shutdown_patience_s: int = Field(default=60, ge=1, alias="PANEL_SHUTDOWN_PATIENCE")
    debug: bool = Field(default=False, alias="PANEL_DEBUG")

    @field_validator("state_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @cached_property
    def allowed_hosts(self) -> list[str]:
        """The names this panel answers to; anything else is refused before a page runs."""
        return [name.strip() for name in self.hostnames.split(",") if name.strip()]

    @cached_property
    def origins(self) -> list[str]:
        """The exact origins that pages and sockets accept (RFC 6454), never taken from a request."""
        suffix = "" if self.port == 443 else f":{self.port}"
        return [f"https://{name}{suffix}" for name in self.allowed_hosts]

    @cached_property
    def secret_key(self) -> str:
        """Django's signing key, from the file the launcher made."""
        return self.secret("django_secret_key")

    @cached_property
    def sealing_keys(self) -> list[str]:
        """The keys of `core.sealed`, the one that seals first."""
        return self.secret("sealing_keys").split()

    @cached_property
    def redis(self) -> str:
        """REDIS_URL, or the private Redis on its unix socket."""
        if self.redis_url:
            return self.redis_url
        password = quote(self.secret("redis_password"), safe="")
        return f"unix://:{password}@{self.state_dir / 'run' / 'redis.sock'}"

    def secret(self, name: str) -> str:
        """The content of one file in the secrets folder. Raises FileNotFoundError where `bin/panel up` never ran."""
        return (self.state_dir / "secrets" / name).read_text().strip()


env = Environment()
