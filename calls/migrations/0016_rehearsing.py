import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0005_publications_and_drafts'),
        ('calls', '0015_drafts_tried'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RehearsalRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('required', models.BooleanField(default=False)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('agent', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='rehearsal_rule', to='agents.agent')),
                ('changed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='RehearsalRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_draft', models.BooleanField(default=False)),
                ('spec', models.JSONField()),
                ('fingerprint', models.CharField(max_length=64)),
                ('begun_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rehearsal_runs', to='agents.agent')),
                ('begun_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='agents.agentversion')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Scenario',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('persona', models.TextField(blank=True, help_text='Who calls, and how they are: hurried, hard of hearing, angry.', max_length=2000)),
                ('goal', models.TextField(help_text='What they want of the call.', max_length=2000)),
                ('facts', models.TextField(blank=True, help_text='What they know and may be asked for. One fact a line.', max_length=4000)),
                ('language', models.CharField(blank=True, help_text="Empty: the agent's.", max_length=16)),
                ('opening', models.CharField(blank=True, help_text='Their first words. Empty: improvised.', max_length=500)),
                ('most_lines', models.PositiveSmallIntegerField(default=12, help_text='They hang up after saying so many things.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(40)])),
                ('assertions', models.JSONField(default=list)),
                ('active', models.BooleanField(default=True, help_text='Part of every run, and of what publishing asks for.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scenarios', to='agents.agent')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('from_call', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='calls.session')),
            ],
            options={
                'ordering': ['name', 'id'],
                'constraints': [models.UniqueConstraint(fields=('agent', 'name'), name='scenario_name_once')],
            },
        ),
        migrations.CreateModel(
            name='WrittenTalk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('spec', models.JSONField(help_text='The agent as it was when the talk began.')),
                ('is_draft', models.BooleanField(default=False)),
                ('exchanges', models.JSONField(default=list)),
                ('waiting', models.JSONField(default=list, help_text='Lines of an earlier talk that are still to be said again.')),
                ('busy_since', models.DateTimeField(blank=True, null=True)),
                ('touched_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('replays', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='calls.writtentalk')),
                ('session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='written_talk', to='calls.session')),
            ],
        ),
        migrations.CreateModel(
            name='RehearsalResult',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('told', models.JSONField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Talking'), ('passed', 'Passed'), ('failed', 'Failed'), ('broken', 'Could not be held'), ('stopped', 'Stopped')], default='waiting', max_length=8)),
                ('verdicts', models.JSONField(default=list)),
                ('problem', models.CharField(blank=True, max_length=500)),
                ('cost', models.DecimalField(blank=True, decimal_places=9, help_text="The agent's side, in the billing currency; NULL: unknown.", max_digits=18, null=True)),
                ('lasted_ms', models.PositiveIntegerField(blank=True, help_text='As it would have been on the telephone.', null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='results', to='calls.rehearsalrun')),
                ('session', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='rehearsal', to='calls.session')),
                ('scenario', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='results', to='calls.scenario')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('run', 'scenario'), name='rehearsed_once_a_run')],
            },
        ),
    ]
