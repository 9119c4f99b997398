from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hosts", "0002_transports"),
    ]

    operations = [
        migrations.AddField(
            model_name="credentials",
            name="offered_host_key",
            field=models.TextField(blank=True),
        ),
    ]
