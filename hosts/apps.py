from django.apps import AppConfig


class HostsConfig(AppConfig):
    name = "hosts"

    def ready(self) -> None:
        """Register the live pieces, the page of a host, and what listens to a host's coming and going."""
        import hosts.checks.rows
        import hosts.live  # noqa: F401
        from hosts.models import Host
        from operations import targets

        targets.register(Host, page="hosts:detail", words="host", whole=True)
