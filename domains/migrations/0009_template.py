from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("domains", "0008_nics_and_devices"),
    ]

    operations = [
        migrations.AddField(
            model_name="domain",
            name="template",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="domain",
            name="cleared",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
