from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def begin_with_the_disks(apps: Any, schema_editor: Any) -> None:
    """Until the hosts are read again, no disk of a machine shall count as free."""
    disks = apps.get_model("domains", "DomainDisk").objects.exclude(path="", volume_name="")
    files = apps.get_model("domains", "DomainFile").objects
    files.bulk_create(
        files.model(
            domain_id=disk.domain_id,
            path=disk.path,
            pool_name=disk.pool_name,
            volume_name=disk.volume_name,
            shareable=disk.shareable,
        )
        for disk in disks.iterator()
    )


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0011_pluggable"),
    ]

    operations = [
        migrations.CreateModel(
            name="DomainFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("path", models.CharField(blank=True, db_index=True, max_length=1024)),
                ("pool_name", models.CharField(blank=True, max_length=255)),
                ("volume_name", models.CharField(blank=True, max_length=255)),
                ("base", models.BooleanField(default=False)),
                ("shareable", models.BooleanField(default=False)),
                (
                    "domain",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="domains.domain",
                    ),
                ),
            ],
            options={"ordering": ["pk"]},
        ),
        migrations.RunPython(begin_with_the_disks, migrations.RunPython.noop),
    ]
