"""From here on a call's columns are what its events say. Calls that were there before get one event with what was known of them."""

from django.db import migrations, models

ENDS = ("completed", "busy", "failed", "no-answer", "canceled")


def carry_over(apps, schema_editor):
    call_log, call_event = apps.get_model("calls", "CallLog"), apps.get_model("calls", "CallEvent")
    ended_by_carrier = set(
        call_event.objects.filter(kind="status-changed", source="carrier", facts__to__in=ENDS).values_list("session_id", flat=True)
    )
    events = []
    for log in call_log.objects.order_by("pk").iterator(chunk_size=500):
        facts = {
            "status": log.status,
            "started_at": log.started_at and log.started_at.isoformat(),
            "answered_at": log.answered_at and log.answered_at.isoformat(),
            "ended_at": log.ended_at and log.ended_at.isoformat(),
            "duration_s": log.duration_s,
            "recording_url": log.recording_url,
            "price": None if log.carrier_price is None else str(log.carrier_price),
            "currency": log.carrier_currency,
            "cause": log.failure,
        }
        told = {name: value for name, value in facts.items() if value not in (None, "")}
        source = "carrier" if log.session_id in ended_by_carrier else "api"
        events.append(call_event(session_id=log.session_id, key="carried-over", source=source, kind="carried-over", facts={"call": told}))
        if len(events) == 500:
            call_event.objects.bulk_create(events, ignore_conflicts=True)
            events = []
    call_event.objects.bulk_create(events, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("calls", "0002_tools_and_transfers")]

    operations = [
        migrations.AddField(
            model_name="calllog",
            name="carrier_cause",
            field=models.CharField(blank=True, help_text="The carrier's own word for why the call ended.", max_length=300),
        ),
        migrations.AddField(
            model_name="calllog",
            name="confirmation",
            field=models.CharField(
                blank=True,
                choices=[("confirmed", "confirmed"), ("not-confirmed", "not-confirmed")],
                help_text="Whether the carrier has said that the leg is down; empty while the call runs.",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="calllog",
            name="ended_by",
            field=models.CharField(
                blank=True,
                choices=[
                    ("caller", "caller"),
                    ("agent", "agent"),
                    ("carrier", "carrier"),
                    ("operator", "operator"),
                    ("watchdog", "watchdog"),
                    ("crash", "crash"),
                    ("unknown", "unknown"),
                ],
                max_length=16,
            ),
        ),
        migrations.RunPython(carry_over, migrations.RunPython.noop),
    ]
