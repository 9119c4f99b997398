from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        """Hear what happens to accounts."""
        import audit.listeners  # noqa: F401
