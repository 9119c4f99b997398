from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        """Make the live pieces known, and what the room below shows of a machine's use."""
        import monitoring.live  # noqa: F401
        from domains import gauges
        from monitoring.listing import gauges_of

        gauges.register(gauges_of)
