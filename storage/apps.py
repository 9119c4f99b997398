from django.apps import AppConfig


class StorageConfig(AppConfig):
    name = "storage"

    def ready(self) -> None:
        """Make the live pieces known, where volumes and pools have their pages, and what is at work on volumes."""
        import storage.live  # noqa: F401
        from hosts import busy
        from operations import targets
        from storage.busy import at_work_on
        from storage.models import Pool, Volume

        targets.register(Pool, page="storage:pool", words="storage pool")
        targets.register(Volume, page="storage:volume", words="volume")
        busy.register(at_work_on)
