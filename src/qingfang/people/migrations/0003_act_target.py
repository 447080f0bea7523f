from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("people", "0002_terminal_label")]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="act",
            name="target",
            field=models.CharField(blank=True, max_length=130, verbose_name="对象"),
        ),
    ]
