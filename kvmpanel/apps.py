"""The site's own app: the queue for every Django process, and management commands that touch every room."""

from django.apps import AppConfig


class KvmPanelConfig(AppConfig):
    name = "kvmpanel"

    def ready(self) -> None:
        """Make this site's queue the current one, so that rooms can send tasks by name."""
        import kvmpanel.celery  # noqa: F401
