"""An earlier version of an agent comes back: its spec is turned into fields and rows again and published as a new version.

Tools and destinations come back by their rows; one whose row was deleted is made anew, without the secrets, which no version holds.
"""

from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from agents.drafts import judge
from agents.models import Agent, AgentDraft, AgentVersion, Destination, HttpTool, Publication
from agents.spec import AgentSpec, DestinationSpec, HttpToolSpec


@dataclass(frozen=True, slots=True)
class Restored:
    """`warnings` say what could not come back as it was. `is_new` is False if that version was live already."""

    version: AgentVersion
    is_new: bool
    warnings: tuple[str, ...] = ()


def fields_of(spec: AgentSpec) -> dict[str, Any]:
    """The fields of an `Agent` that make this spec, without its rows: the way back from `Agent.spec`."""
    stand_ins = {kind: [_without_empty(asdict(one)) for one in getattr(spec.fallbacks, kind)] for kind in ("stt", "llm", "tts")}
    return {
        "name": spec.name,
        "prompt": spec.prompt,
        "first_message": spec.first_message,
        "language": spec.language,
        "mode": spec.mode.value,
        "voice_provider": spec.voice.provider,
        "voice_id": spec.voice.voice_id,
        "voice_model": spec.voice.model,
        "voice_speed": spec.voice.speed,
        "llm_provider": spec.llm.provider,
        "llm_model": spec.llm.model,
        "llm_temperature": spec.llm.temperature,
        "llm_max_tokens": spec.llm.max_tokens,
        "stt_provider": spec.stt.provider,
        "stt_model": spec.stt.model,
        "stt_endpointing_ms": spec.stt.endpointing_ms,
        "max_duration_s": spec.max_duration_s,
        "silence_timeout_s": spec.silence_timeout_s,
        "record_calls": spec.record_calls,
        "recording_retention_days": spec.recording_retention_days,
        "analyse_calls": spec.analyse_calls,
        "extraction_schema": spec.extraction_schema,
        "manners": dict(spec.manners),
        "voicemail_message": spec.voicemail_message,
        "fallbacks": {kind: ones for kind, ones in stand_ins.items() if ones},
        "pronunciations": [asdict(one) for one in spec.pronunciations],
        "collects_digits": spec.collects_digits,
    }


def _without_empty(stand_in: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in stand_in.items() if value}


def restore(version: AgentVersion, *, by: Any, reason: str = "") -> Restored:
    """Publishes what `version` was. A draft is kept. Raises `ValidationError` if that could not talk any more, as with a retired model."""
    words = reason.strip() or f"Back to version {version.number}."  # a row: in no one person's language
    with transaction.atomic():
        agent: Agent = Agent.objects.select_for_update(no_key=True).get(pk=version.agent_id)
        before = agent.current_version.number
        spec = version.as_spec()
        for name, value in fields_of(spec).items():
            setattr(agent, name, value)
        judge(agent)
        warnings = [*_bring_back_destinations(agent, spec.destinations), *_bring_back_tools(agent, spec.tools)]
        # Past the rows' and the agent's own saving, each of which would publish a version of its own.
        Agent.objects.filter(pk=agent.pk).update(**fields_of(spec))
        agent = Agent.objects.get(pk=agent.pk)
        agent.save(publication=Publication(by=by, reason=words, restores=version.number))
        live = agent.current_version
        AgentDraft.objects.filter(agent=agent).update(based_on=live.number)
    return Restored(live, live.number != before, tuple(warnings))


def _bring_back_destinations(agent: Agent, wanted: tuple[DestinationSpec, ...]) -> list[str]:
    rows = Destination.objects.filter(agent=agent)
    rows.exclude(pk__in=[one.id for one in wanted]).update(active=False)
    for one in wanted:
        told = {**asdict(one), "numbers": list(one.numbers), "active": True}
        number = told.pop("id")
        if not rows.filter(pk=number).update(**told):
            _free_name(rows, one.name)
            Destination.objects.bulk_create([Destination(agent=agent, **told)])
    return []


def _bring_back_tools(agent: Agent, wanted: tuple[HttpToolSpec, ...]) -> list[str]:
    rows, found = HttpTool.objects.filter(agent=agent), []
    rows.exclude(pk__in=[one.id for one in wanted]).update(active=False)
    for one in wanted:
        told = {**asdict(one), "active": True}
        number = told.pop("id")
        if not rows.filter(pk=number).update(**told):
            _free_name(rows, one.name)
            HttpTool.objects.bulk_create([HttpTool(agent=agent, **told)])
            found.append(
                _("The tool %(name)s had been deleted: it is back without its secret headers. Write them again.") % {"name": one.name}
            )
    return found


def _free_name(rows: Any, name: str) -> None:
    """A row that took the name since then is switched off already and steps aside."""
    for row in rows.filter(name=name):
        rows.filter(pk=row.pk).update(name=f"{name[:40]}_{row.pk}")
