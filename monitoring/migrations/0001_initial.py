import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("domains", "0001_initial"), ("hosts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Usage",
            fields=[
                (
                    "domain",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="usage",
                        serialize=False,
                        to="domains.domain",
                    ),
                ),
                ("sampled_at", models.DateTimeField()),
                ("cpu_percent", models.FloatField()),
                ("host_cpu_percent", models.FloatField()),
                ("memory_mib", models.PositiveIntegerField()),
                ("memory_percent", models.FloatField()),
                ("read_bytes", models.BigIntegerField()),
                ("read_requests", models.BigIntegerField()),
                ("write_bytes", models.BigIntegerField()),
                ("write_requests", models.BigIntegerField()),
                ("rx_bytes", models.BigIntegerField()),
                ("tx_bytes", models.BigIntegerField()),
                ("cpu_time_s", models.FloatField()),
                (
                    "host",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="hosts.host"
                    ),
                ),
            ],
            options={"ordering": ["-cpu_percent", "pk"]},
        ),
    ]
