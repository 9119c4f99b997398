from django.apps import AppConfig


class StorageConfig(AppConfig):
    name = "storage"

    def ready(self) -> None:
        """Make the live pieces known, and where volumes and pools have their pages."""
        import storage.live  # noqa: F401
        from operations import targets
        from storage.models import Pool, Volume

        targets.register(Pool, page="storage:pool", words="storage pool")
        targets.register(Volume, page="storage:volume", words="volume")
