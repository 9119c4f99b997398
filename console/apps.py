from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"

    def ready(self) -> None:
        """Make the live pieces known, and listen for what ends consoles."""
        import console.hooks
        import console.live  # noqa: F401
