from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0005_settlement")]

    operations = [
        migrations.AlterField(
            model_name="settlement",
            name="kind",
            field=models.CharField(
                choices=[
                    ("no_usage", "与用药数据无关"),
                    ("source", "补充过程源代码"),
                    ("definition", "统方定义"),
                ],
                max_length=10,
                verbose_name="认定",
            ),
        ),
    ]
