from django.urls import path

from storage import views

app_name = "storage"

urlpatterns = [
    path("", views.list_, name="list"),
    path("drop/", views.drop, name="drop"),
    path("pools/<uuid:uuid>/", views.pool, name="pool"),
    path("pools/<uuid:uuid>/new/", views.new_volume, name="new_volume"),
    path("pools/<uuid:uuid>/refresh/", views.refresh, name="refresh"),
    path("volumes/<uuid:uuid>/", views.volume, name="volume"),
    path("volumes/<uuid:uuid>/export/", views.export_volume, name="export_volume"),
    path("exports/<uuid:uuid>/file/", views.export_file, name="export_file"),
    path("exports/<uuid:uuid>/drop/", views.drop_export, name="drop_export"),
    path("volumes/<uuid:uuid>/delete/", views.delete_volume, name="delete_volume"),
    path("uploads/<uuid:uuid>/store/", views.store_upload, name="store_upload"),
    path("uploads/<uuid:uuid>/discard/", views.discard_upload, name="discard_upload"),
]
