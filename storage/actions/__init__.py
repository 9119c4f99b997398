"""What may be done to pools, volumes and uploads."""

from storage.actions.volumes import create_volume, delete_volume, refresh_pool, reserve

__all__ = ["create_volume", "delete_volume", "refresh_pool", "reserve"]
