"""What has no price is looked for on every page: an index of those charges alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("calls", "0008_budgets")]

    operations = [
        migrations.AddIndex(
            model_name="charge",
            index=models.Index(condition=models.Q(("amount", None)), fields=["session"], name="charge_unpriced"),
        ),
    ]
