from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"

    def ready(self) -> None:
        """Register the live pieces."""
        import dashboard.live  # noqa: F401
