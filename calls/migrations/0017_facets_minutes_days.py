"""What a call is in words, for the index that cuts rare combinations out of ten million calls; and minutes of tests out of the usual minute;
and what was counted by the hour, added up by the day.

Not in one transaction: the index is built while calls are written. One that was broken off is run again, and begins with it anew.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.operations
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models, transaction


_CALLS_OF_DAYS = """
INSERT INTO calls_rollupday (hour, owner_id, agent_id, version_id, exophone, direction, calls, answered, waiting, failed, unconfirmed, seconds, charged_seconds, talks, silent, answers, interruptions, unpriced, unsettled, last_call_at, outcomes, latency_buckets, latency_counts)
WITH picked AS MATERIALIZED (
    SELECT date_trunc('day', hour, (SELECT zone FROM calls_rollupstate)) AS day, r.* FROM calls_rollup r
), ended AS (
    SELECT day, owner_id, agent_id, version_id, exophone, direction, jsonb_object_agg(outcome, ended) AS ended
    FROM (SELECT day, owner_id, agent_id, version_id, exophone, direction, o.key AS outcome, sum(o.value::integer) AS ended FROM picked, jsonb_each_text(outcomes) o
          GROUP BY day, owner_id, agent_id, version_id, exophone, direction, o.key) one GROUP BY day, owner_id, agent_id, version_id, exophone, direction
), timed AS (
    SELECT day, owner_id, agent_id, version_id, exophone, direction, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(turns ORDER BY bucket) AS counts
    FROM (SELECT day, owner_id, agent_id, version_id, exophone, direction, l.bucket, sum(l.turns) AS turns FROM picked, unnest(latency_buckets, latency_counts) l (bucket, turns)
          GROUP BY day, owner_id, agent_id, version_id, exophone, direction, l.bucket) one GROUP BY day, owner_id, agent_id, version_id, exophone, direction
), totals AS (
    SELECT day, owner_id, agent_id, version_id, exophone, direction, sum(calls) AS calls, sum(answered) AS answered, sum(waiting) AS waiting, sum(failed) AS failed, sum(unconfirmed) AS unconfirmed, sum(seconds) AS seconds, sum(charged_seconds) AS charged_seconds, sum(talks) AS talks, sum(silent) AS silent, sum(answers) AS answers, sum(interruptions) AS interruptions, sum(unpriced) AS unpriced, sum(unsettled) AS unsettled, max(last_call_at) AS last_call_at
    FROM picked GROUP BY day, owner_id, agent_id, version_id, exophone, direction
)
SELECT day, owner_id, agent_id, version_id, exophone, direction, calls, answered, waiting, failed, unconfirmed, seconds, charged_seconds, talks, silent, answers, interruptions, unpriced, unsettled, last_call_at, COALESCE(ended, '{}'), COALESCE(buckets, '{}'), COALESCE(counts, '{}')
FROM totals LEFT JOIN ended USING (day, owner_id, agent_id, version_id, exophone, direction) LEFT JOIN timed USING (day, owner_id, agent_id, version_id, exophone, direction)
"""
_COSTS_OF_DAYS = """
INSERT INTO calls_rollupcostday (hour, owner_id, agent_id, version_id, exophone, direction, kind, provider, currency, amount, converted, unconverted, unpriced)
WITH picked AS MATERIALIZED (
    SELECT date_trunc('day', hour, (SELECT zone FROM calls_rollupstate)) AS day, r.* FROM calls_rollupcost r
)
SELECT day, owner_id, agent_id, version_id, exophone, direction, kind, provider, currency, sum(amount), sum(converted), sum(unconverted), sum(unpriced)
FROM picked GROUP BY day, owner_id, agent_id, version_id, exophone, direction, kind, provider, currency
"""


class Together(migrations.SeparateDatabaseAndState):
    """In one transaction, with the constraints that Django would put off to the end: no call is written down while a trigger is missing. Done
    already where a migration was ended between this and being written down.
    """

    def __init__(self, operations):
        super().__init__(operations, operations)

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        connection = schema_editor.connection
        if 'calls_rollupcostday' in connection.introspection.table_names():
            return
        with transaction.atomic(connection.alias):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            put_off, schema_editor.deferred_sql[:] = list(schema_editor.deferred_sql), []
            for statement in put_off:
                schema_editor.execute(statement, None)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('agents', '0005_publications_and_drafts'),
        ('calls', '0016_rehearsing'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # What a broken one has left: an index that nobody can use, under the same name.
        migrations.RunSQL('DROP INDEX CONCURRENTLY IF EXISTS call_facets', migrations.RunSQL.noop),
        django.contrib.postgres.operations.AddIndexConcurrently(
            model_name='calllog',
            index=django.contrib.postgres.indexes.GinIndex(models.Func(output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None), template="ARRAY['o' || owner_id::text, 'a' || agent_id::text, 's' || status, 'd' || direction, 'r' || outcome, 'e' || ended_by, 'c' || confirmation, 't' || is_test::text, 'y' || (answered_at IS NOT NULL)::text, 'l' || width_bucket(talk_s::numeric, ARRAY[10, 30, 60, 120, 300, 600, 1200, 1800, 3600]::numeric[])::text, 'p' || width_bucket(cost, ARRAY[1, 2, 5, 10, 20, 40, 80, 160, 320]::numeric[])::text]"), fastupdate=False, name='call_facets'),
        ),
        Together([
            pgtrigger.migrations.RemoveTrigger(
                model_name='callspend',
                name='call_spend_begun',
            ),
            pgtrigger.migrations.RemoveTrigger(
                model_name='callspend',
                name='call_spend_changed',
            ),
            pgtrigger.migrations.RemoveTrigger(
                model_name='callspend',
                name='call_spend_gone',
            ),
            migrations.AddField(
                model_name='callspend',
                name='is_test',
                field=models.BooleanField(db_default=False, default=False, help_text='Its money counts; what a minute of real calls costs it does not tell.'),
            ),
            migrations.AlterField(
                model_name='spendday',
                name='seconds',
                field=models.BigIntegerField(help_text='Of the real calls that are charged in this currency.'),
            ),
            migrations.AlterField(
                model_name='spendday',
                name='settled',
                field=models.DecimalField(decimal_places=9, help_text='The part of it that real calls were charged: no estimate, nothing reserved, no tests.', max_digits=20),
            ),
            pgtrigger.migrations.AddTrigger(
                model_name='callspend',
                trigger=pgtrigger.compiler.Trigger(name='call_spend_begun', sql=pgtrigger.compiler.UpsertTriggerSql(func='\nINSERT INTO calls_spendday (owner_id, agent_id, day, currency, amount, used, settled, seconds)\nVALUES (NEW.owner_id, NEW.agent_id, NEW.day, NEW.currency,  NEW.amount,  NEW.used,  (CASE WHEN NEW.is_final AND NOT NEW.is_test THEN NEW.used ELSE 0 END),  (CASE WHEN NEW.is_final AND NOT NEW.is_test THEN NEW.seconds ELSE 0 END))\nON CONFLICT (owner_id, day, agent_id, currency) DO UPDATE\nSET amount = calls_spendday.amount + EXCLUDED.amount, used = calls_spendday.used + EXCLUDED.used,\n    settled = calls_spendday.settled + EXCLUDED.settled, seconds = calls_spendday.seconds + EXCLUDED.seconds;\nRETURN NULL;\n', hash='cf16a6e6d871b89d9a728dcce5f21386784db0b7', operation='INSERT', pgid='pgtrigger_call_spend_begun_2fcad', table='calls_callspend', when='AFTER')),
            ),
            pgtrigger.migrations.AddTrigger(
                model_name='callspend',
                trigger=pgtrigger.compiler.Trigger(name='call_spend_changed', sql=pgtrigger.compiler.UpsertTriggerSql(func='\nINSERT INTO calls_spendday (owner_id, agent_id, day, currency, amount, used, settled, seconds)\nVALUES (NEW.owner_id, NEW.agent_id, NEW.day, NEW.currency,  NEW.amount - OLD.amount,  NEW.used - OLD.used,  (CASE WHEN NEW.is_final AND NOT NEW.is_test THEN NEW.used ELSE 0 END) - (CASE WHEN OLD.is_final AND NOT OLD.is_test THEN OLD.used ELSE 0 END),  (CASE WHEN NEW.is_final AND NOT NEW.is_test THEN NEW.seconds ELSE 0 END) - (CASE WHEN OLD.is_final AND NOT OLD.is_test THEN OLD.seconds ELSE 0 END))\nON CONFLICT (owner_id, day, agent_id, currency) DO UPDATE\nSET amount = calls_spendday.amount + EXCLUDED.amount, used = calls_spendday.used + EXCLUDED.used,\n    settled = calls_spendday.settled + EXCLUDED.settled, seconds = calls_spendday.seconds + EXCLUDED.seconds;\nRETURN NULL;\n', hash='cac5ba32067f7ee0c8a26af88f26a4dd98e39c20', operation='UPDATE', pgid='pgtrigger_call_spend_changed_e4e3a', table='calls_callspend', when='AFTER')),
            ),
            pgtrigger.migrations.AddTrigger(
                model_name='callspend',
                trigger=pgtrigger.compiler.Trigger(name='call_spend_gone', sql=pgtrigger.compiler.UpsertTriggerSql(func='\nINSERT INTO calls_spendday (owner_id, agent_id, day, currency, amount, used, settled, seconds)\nVALUES (OLD.owner_id, OLD.agent_id, OLD.day, OLD.currency, - OLD.amount, - OLD.used, - (CASE WHEN OLD.is_final AND NOT OLD.is_test THEN OLD.used ELSE 0 END), - (CASE WHEN OLD.is_final AND NOT OLD.is_test THEN OLD.seconds ELSE 0 END))\nON CONFLICT (owner_id, day, agent_id, currency) DO UPDATE\nSET amount = calls_spendday.amount + EXCLUDED.amount, used = calls_spendday.used + EXCLUDED.used,\n    settled = calls_spendday.settled + EXCLUDED.settled, seconds = calls_spendday.seconds + EXCLUDED.seconds;\nRETURN NULL;\n', hash='3a749b47dbc1b4cc85e2b99bd8ebc60959f514a7', operation='DELETE', pgid='pgtrigger_call_spend_gone_01770', table='calls_callspend', when='AFTER')),
            ),
            migrations.CreateModel(
                name='RollupCostDay',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('hour', models.DateTimeField(help_text='When it begins.')),
                    ('exophone', models.CharField(blank=True, help_text='Our own number; empty if it is not known.', max_length=20)),
                    ('direction', models.CharField(max_length=16)),
                    ('kind', models.CharField(max_length=16)),
                    ('provider', models.CharField(max_length=32)),
                    ('currency', models.CharField(blank=True, help_text='Empty: nobody knows the price.', max_length=3)),
                    ('amount', models.DecimalField(decimal_places=9, max_digits=30)),
                    ('converted', models.DecimalField(decimal_places=19, max_digits=40)),
                    ('unconverted', models.DecimalField(decimal_places=9, max_digits=30)),
                    ('unpriced', models.PositiveIntegerField(help_text='Charges without an amount: they come on top.')),
                    ('agent', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agent')),
                    ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agentversion')),
                ],
                options={
                    'indexes': [models.Index(fields=['owner', 'hour'], name='rollup_cost_day_of_owner')],
                    'constraints': [models.UniqueConstraint(fields=('hour', 'owner', 'agent', 'version', 'exophone', 'direction', 'kind', 'provider', 'currency'), name='rollup_cost_day_once')],
                },
            ),
            migrations.CreateModel(
                name='RollupDay',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('hour', models.DateTimeField(help_text='When it begins.')),
                    ('exophone', models.CharField(blank=True, help_text='Our own number; empty if it is not known.', max_length=20)),
                    ('direction', models.CharField(max_length=16)),
                    ('calls', models.PositiveIntegerField()),
                    ('answered', models.PositiveIntegerField()),
                    ('waiting', models.PositiveIntegerField(help_text='Neither answered nor over.')),
                    ('failed', models.PositiveIntegerField()),
                    ('unconfirmed', models.PositiveIntegerField(help_text='The carrier has not said that the line is down.')),
                    ('seconds', models.PositiveBigIntegerField(help_text='How long all answered calls lasted.')),
                    ('charged_seconds', models.PositiveBigIntegerField(help_text='The same of those that are accounted: what costs per minute count by.')),
                    ('talks', models.PositiveIntegerField(help_text='Conversations that are over; left messages are none.')),
                    ('silent', models.PositiveIntegerField(help_text='Talks in which no word of the caller was heard.')),
                    ('answers', models.PositiveIntegerField(help_text='Turns of agents.')),
                    ('interruptions', models.PositiveIntegerField(help_text='Turns of agents that the caller cut off.')),
                    ('unpriced', models.PositiveIntegerField(help_text='Calls that used something of unknown price.')),
                    ('unsettled', models.PositiveIntegerField(help_text='Answered calls that are over and not yet accounted.')),
                    ('last_call_at', models.DateTimeField()),
                    ('outcomes', models.JSONField(default=dict, help_text='How many calls have which; those that nobody has read are in none.')),
                    ('latency_buckets', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), default=list, help_text='See `calls.analytics.buckets`.', size=None)),
                    ('latency_counts', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), default=list, help_text='How many turns are in each.', size=None)),
                    ('agent', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agent')),
                    ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agentversion')),
                ],
                options={
                    'indexes': [models.Index(fields=['owner', 'hour'], name='rollup_day_of_owner')],
                    'constraints': [models.UniqueConstraint(fields=('hour', 'owner', 'agent', 'version', 'exophone', 'direction'), name='rollup_day_once')],
                },
            ),
            # Days are sums of their hours.
            migrations.RunSQL(_CALLS_OF_DAYS, migrations.RunSQL.noop),
            migrations.RunSQL(_COSTS_OF_DAYS, migrations.RunSQL.noop),
            # The triggers take these out of their days' usual minutes.
            migrations.RunSQL(
                "UPDATE calls_callspend SET is_test = true FROM calls_calllog c"
                " WHERE c.session_id = calls_callspend.session_id AND c.is_test AND NOT calls_callspend.is_test",
                migrations.RunSQL.noop,
            ),
        ]),
    ]
