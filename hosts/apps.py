from django.apps import AppConfig


class HostsConfig(AppConfig):
    name = "hosts"

    def ready(self) -> None:
        """Register the live pieces."""
        import hosts.live  # noqa: F401
