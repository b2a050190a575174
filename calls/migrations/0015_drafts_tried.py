from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('calls', '0014_analytics'),
    ]

    operations = [
        migrations.AddField(
            model_name='session',
            name='draft_spec',
            field=models.JSONField(blank=True, editable=False, help_text="The draft that was tried, in the form of a version's spec; NULL: the version itself.", null=True),
        ),
    ]
