from django.apps import AppConfig


class NetworksConfig(AppConfig):
    name = "networks"

    def ready(self) -> None:
        """Make the live pieces known, and where networks have their pages."""
        import networks.live  # noqa: F401
        from networks.models import Network
        from operations import targets

        targets.register(Network, page="networks:detail", words="network")
