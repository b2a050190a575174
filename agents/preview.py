"""The first message as callers will hear it, before any caller does: spoken by the agent's own voice, at the telephone's rate.

It costs what a sentence costs, so it is bounded: in length, in time, and in how often one person may ask. The same voice and text is
spoken once and then comes from the cache that calls use too: what was listened to here is prepared for them.
"""

import asyncio
import io
import wave
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.translation import gettext as _

from agents import prepared, preparing, variables
from agents.spec import AgentSpec
from agents.variables import CallFacts
from engine.errors import ProviderError

logger = structlog.get_logger()

MOST_CHARACTERS: Final = 600
LIMIT_S: Final = 15.0
MOST_IN_A_MINUTE: Final = 6
# Stand for what only a call knows.
EXAMPLES: Final = {"name": "Asha", "amount": "1,250 rupees", "due_date": "the fifth of this month", "reference": "4711"}
_CALLER: Final = "+919876543210"


class NoPreview(Exception):
    """There is nothing to listen to. The message says why, and what to do, to the person at the form.

    `reason` is the part of it that a provider's adapter wrote, in English.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Preview:
    """`key` names the audio for `wav`; `text` is what the voice says, `characters` what is paid for if it `is_new`."""

    key: str
    text: str
    characters: int
    is_new: bool


def filled(text: str, agent_name: str) -> str:
    """`text` with examples where only a call would know."""
    return variables.fill(text, CallFacts(agent_name, timezone.localtime(), _CALLER, EXAMPLES)).strip()


def speak(spec: AgentSpec, *, who: Any) -> Preview:
    """Speaks the first message, or finds it spoken already. Raises `NoPreview`."""
    words = prepared.spoken(spec, text := filled(spec.first_message, spec.name))
    if not words:
        raise NoPreview(_("Write a first message: there is nothing to say yet."))
    if len(words) > MOST_CHARACTERS:
        raise NoPreview(
            _("A preview speaks at most %(most)d characters; this has %(length)d.") % {"most": MOST_CHARACTERS, "length": len(words)}
        )
    key = prepared.key_of(spec, text)
    if _kept(key) is not None:
        return Preview(key, text, len(words), is_new=False)
    _take_a_turn(who)
    try:
        audio = asyncio.run(_in_time(spec, words))
        prepared.keep(key, audio)
    except ImproperlyConfigured as error:
        raise NoPreview(str(error)) from error
    except (ProviderError, TimeoutError) as error:
        logger.warning("preview_failed", provider=spec.voice.provider, error=type(error).__name__)
        if reason := getattr(error, "message", ""):
            raise NoPreview(_("The voice could not be heard: %(reason)s") % {"reason": reason}, reason=reason) from error
        slow = _("The voice took longer than %(limit)d s.") % {"limit": LIMIT_S}
        raise NoPreview(_("The voice could not be heard: %(reason)s") % {"reason": slow}) from error
    except Exception as error:
        logger.warning("preview_not_kept", error=type(error).__name__)
        raise NoPreview(_("The audio could not be kept: the cache does not answer. Try again in a moment.")) from error
    logger.info("preview_spoken", provider=spec.voice.provider, model=spec.voice.model, characters=len(words), user_id=who.pk)
    return Preview(key, text, len(words), is_new=True)


async def _in_time(spec: AgentSpec, words: str) -> bytes:
    async with asyncio.timeout(LIMIT_S):
        return await preparing.speak(spec, words)


def _take_a_turn(who: Any) -> None:
    """Counts what this person has had spoken in this minute. Without a cache there is no preview: nothing else would count."""
    name = f"previews:{who.pk}:{timezone.now():%Y%m%d%H%M}"
    try:
        cache.add(name, 0, 120)
        taken = cache.incr(name)
    except Exception as error:
        raise NoPreview(_("The cache does not answer, so nothing can be spoken. Try again in a moment.")) from error
    if taken > MOST_IN_A_MINUTE:
        raise NoPreview(_("That were %(most)d new previews in a minute. Wait a moment: each is paid for.") % {"most": MOST_IN_A_MINUTE})


def _kept(key: str) -> bytes | None:
    try:
        return prepared.recall(key)
    except Exception as error:
        raise NoPreview(_("The cache does not answer, so nothing can be spoken. Try again in a moment.")) from error


def wav(key: str) -> bytes | None:
    """The audio of a preview as a WAV file; None if it is not kept any more."""
    audio = _kept(key)
    if audio is None:
        return None
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(prepared.LINE_RATE_HZ)
        file.writeframes(audio)
    return made.getvalue()
