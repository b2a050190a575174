"""Whether an agent can talk on a phone line as it is configured: one judge for the admin, the API and every other form.

Each message says what is wrong and what to write instead. Ranges that need nothing but the field itself are validators of the model;
here is what depends on another field, on the provider or on the calendar. Never asks the outside world: a form must not hang on a vendor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import catalogue, extraction, manners, tool_rules, variables, wishes
from agents.spec import Mode
from providers import registry

if TYPE_CHECKING:
    from agents.models import Agent

PROMPT_MAX_CHARACTERS = 50_000
FIRST_MESSAGE_MAX_CHARACTERS = 2_000
RETIRING_SOON_DAYS = 120

# Field prefix of the agent, the registry's kind, and what a person calls it.
_PARTS: tuple[tuple[str, registry.Kind, Any], ...] = (
    ("voice", "tts", gettext_lazy("voice model")),
    ("llm", "llm", gettext_lazy("language model")),
    ("stt", "stt", gettext_lazy("speech-to-text model")),
)

Problem = tuple[str, str]


def problems(agent: Agent, today: date | None = None) -> dict[str, str]:
    """What keeps the agent from working, by field name; empty if nothing does. The agent need not be saved."""
    found: dict[str, str] = {}
    for field, message in _all_problems(agent, today or _today()):
        found[field] = f"{found[field]} {message}" if field in found else message
    return found


def warnings(agent: Agent, today: date | None = None) -> list[str]:
    """What works today and will not for long: models whose end is announced, soonest first."""
    now = today or _today()
    found: list[tuple[date, str]] = []
    for field in ("llm_model", "voice_model", "stt_model"):
        model = getattr(agent, field) or ""
        end = catalogue.retirement(model)
        if end is None or (end.on is not None and (end.on <= now or (end.on - now).days > RETIRING_SOON_DAYS)):
            continue
        facts = {"model": model, "date": end.on, "use": end.use}
        if end.on is None:
            message = _("%(model)s is being replaced by %(use)s; no last day is known yet. Move to %(use)s.") % facts
        else:
            message = _("%(model)s will be shut down on %(date)s. Move to %(use)s before that day.") % facts
        found.append((end.on or date.max, message))
    return [message for _when, message in sorted(found)]


def _today() -> date:
    return timezone.localdate()


def _all_problems(agent: Agent, today: date) -> Iterator[Problem]:
    for prefix, kind, title in _PARTS:
        yield from _provider_problems(agent, prefix, kind, title, today)
    yield from _voice_problems(agent)
    yield from _listening_problems(agent)
    yield from _number_problems(agent)
    yield from _text_problems(agent)
    yield from _time_problems(agent)
    yield from _manner_problems(agent)
    for message in wishes.fallback_problems(agent.fallbacks):
        yield "fallbacks", message
    for message in wishes.pronunciation_problems(agent.pronunciations):
        yield "pronunciations", message
    if wrong := extraction.problem(agent.extraction_schema):
        yield "extraction_schema", wrong


def _manner_problems(agent: Agent) -> Iterator[Problem]:
    found = manners.problems(agent.manners)
    for message in found:
        yield "manners", message
    if not found and agent.manners.get("voicemail") == "leave-message" and not (agent.voicemail_message or "").strip():
        yield "voicemail_message", _("Write the message that is left on answering machines, or let the manners hang up on them.")


def _provider_problems(agent: Agent, prefix: str, kind: registry.Kind, title: Any, today: date) -> Iterator[Problem]:
    provider, model = getattr(agent, f"{prefix}_provider") or "", getattr(agent, f"{prefix}_model") or ""
    facts = {"model": model, "provider": provider, "title": title, "choices": ", ".join(registry.names(kind))}
    if provider and provider not in registry.names(kind):
        yield f"{prefix}_provider", _("No %(title)s comes from “%(provider)s” here. Choose one of: %(choices)s.") % facts
        return
    if not model:
        return  # the field itself says that it is required
    end = catalogue.retirement(model)
    if end is not None and end.on is not None and end.on <= today:
        yield f"{prefix}_model", _("%(model)s was shut down on %(date)s; use %(use)s.") % {**facts, "date": end.on, "use": end.use}
    elif catalogue.does_other_work(kind, model):
        wrong = _("%(model)s is not a %(title)s.") % facts
        yield f"{prefix}_model", f"{wrong} {_example(kind, provider)}"
    elif (owner := catalogue.owner(kind, model)) and provider and owner != catalogue.vendor(provider):
        wrong = _("%(model)s is a model of %(owner)s, not of %(provider)s.") % {**facts, "owner": owner}
        is_here = owner in registry.names(kind)
        advice = _("Choose %(owner)s as provider, or another model.") % {"owner": owner} if is_here else _example(kind, provider)
        yield f"{prefix}_model", f"{wrong} {advice}"


_EXAMPLES = {
    ("tts", "elevenlabs"): "eleven_flash_v2_5",
    ("tts", "openai"): "gpt-4o-mini-tts",
    ("tts", "deepgram"): "aura-2-thalia-en",
    ("llm", "openai"): "gpt-6-luna",
    ("stt", "deepgram"): "nova-3",
}


def _example(kind: registry.Kind, provider: str) -> str:
    if model := _EXAMPLES.get((kind, catalogue.vendor(provider))):
        return _("Use for example %(model)s.") % {"model": model}
    return _("Use one of the provider's own models for this.")


def _voice_problems(agent: Agent) -> Iterator[Problem]:
    provider = agent.voice_provider
    if provider in registry.names("tts"):
        owner = catalogue.voice_owner(agent.voice_id or "")
        if owner and owner != catalogue.vendor(provider):
            message = _("“%(voice)s” is a voice of %(owner)s, not of %(provider)s. Write the id of one of %(provider)s's voices.")
            yield "voice_id", message % {"voice": agent.voice_id, "owner": owner, "provider": provider}
        if (speed := _number(agent.voice_speed)) is not None:
            low, high = catalogue.speed_range(provider)
            if not low <= speed <= high:
                message = _("%(provider)s speaks at a speed from %(low)s to %(high)s; 1.0 is the voice's own pace.")
                yield "voice_speed", message % {"provider": provider, "low": low, "high": high}
    if not catalogue.voice_knows(agent.voice_model or "", agent.language or ""):
        message = _("%(model)s speaks English only. Use eleven_flash_v2_5, or choose English as the language.")
        yield "voice_model", message % {"model": agent.voice_model}


def _listening_problems(agent: Agent) -> Iterator[Problem]:
    model = agent.stt_model or ""
    if agent.language and not catalogue.stt_knows(model, agent.language):
        message = _("%(model)s does not understand %(language)s. Use nova-3, or choose another language.")
        yield "stt_model", message % {"model": model, "language": agent.get_language_display()}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _number_problems(agent: Agent) -> Iterator[Problem]:
    # Not-a-number passes every comparison of a range check.
    for field in ("voice_speed", "llm_temperature"):
        value = getattr(agent, field)
        if isinstance(value, float) and not math.isfinite(value):
            yield field, _("Write a number, for example 0.7.") if field == "llm_temperature" else _("Write a number, for example 1.0.")


def _text_problems(agent: Agent) -> Iterator[Problem]:
    prompt, first_message = agent.prompt or "", agent.first_message or ""
    if agent.mode == Mode.LIVE and not prompt.strip():
        yield "prompt", _("A live conversation needs a prompt: write who the agent is, what it knows and what it must do.")
    if len(prompt) > PROMPT_MAX_CHARACTERS:
        message = _("The prompt has %(length)d characters; %(limit)d is the most. Every reply reads all of it: shorten it.")
        yield "prompt", message % {"length": len(prompt), "limit": PROMPT_MAX_CHARACTERS}
    if agent.mode == Mode.VOICEMAIL and not first_message.strip():
        yield "first_message", _("Voicemail needs a first message: write what callers hear before they leave theirs.")
    if len(first_message) > FIRST_MESSAGE_MAX_CHARACTERS:
        message = _("The first message has %(length)d characters; %(limit)d is the most. Callers hang up on long greetings: shorten it.")
        yield "first_message", message % {"length": len(first_message), "limit": FIRST_MESSAGE_MAX_CHARACTERS}
    voicemail = agent.voicemail_message or ""
    for field, text in (("prompt", prompt), ("first_message", first_message), ("name", agent.name or ""), ("voicemail_message", voicemail)):
        if "\x00" in text:
            yield field, _("Remove the NUL character: the database cannot store it.")
    yield from variable_problems(agent)


def variable_problems(agent: Agent) -> Iterator[Problem]:
    """The texts of the agent that name a variable that there is not."""
    for field in ("prompt", "first_message", "voicemail_message"):
        if problem := tool_rules.unknown_problem(variables.unknown(getattr(agent, field) or "")):
            yield field, problem


def _time_problems(agent: Agent) -> Iterator[Problem]:
    longest, silence = _number(agent.max_duration_s), _number(agent.silence_timeout_s)
    if longest is not None and silence is not None and silence >= longest:
        message = _("The silence time-out (%(silence)d s) must be shorter than the longest call (%(longest)d s).")
        yield "silence_timeout_s", message % {"silence": silence, "longest": longest}


def name_problem(agent: Agent) -> str:
    """Why the agent cannot bear its name: its owner has another one of that name. Empty if nothing speaks against it. Asks the database."""
    others = type(agent)._default_manager.filter(owner_id=agent.owner_id, name=agent.name).exclude(pk=agent.pk)
    if agent.owner_id is None or not others.exists():
        return ""
    return _("There is already an agent called “%(name)s”. Choose another name.") % {"name": agent.name}
