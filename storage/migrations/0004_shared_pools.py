from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("storage", "0003_volume_team"),
    ]

    operations = [
        migrations.AddField(
            model_name="pool",
            name="shared_with",
            field=models.ManyToManyField(blank=True, to="storage.pool"),
        ),
    ]
