import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "0002_committed")]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="long",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="operation",
            name="parent",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="children",
                to="operations.operation",
            ),
        ),
    ]
