from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Listen for ends of logins."""
        import accounts.hooks  # noqa: F401
