"""Callers that a language model plays: who they are, what they want, and what they know. It never sees the agent's prompt."""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

from calls.rehearsing.stage import Answer, HangUp, Say, StaySilent
from calls.rehearsing.talk import AGENT, Talk
from engine.errors import ErrorCategory, ProviderError
from engine.ports import LanguageModel, Message, ReplyFinished, TextDelta
from engine.usage import UsageRecord
from providers.connection import LoopClients

PURPOSE: Final = "caller"
LIMIT_S: Final = 30.0
_TRIES: Final = 2
_SIGN = re.compile(r"\[\s*(hang[ -]?up|silent|silence|keys?\s*:?\s*[0-9*# ]+)\s*\]", re.IGNORECASE)
_KEYS = re.compile(r"[0-9*#]+")
_LANGUAGES: Final = {
    "en": "English as it is spoken in India",
    "hi": "Hindi, in Devanagari",
    "multi": "Hindi and English mixed, as people in India talk",
}

Paid = Callable[[str], AbstractContextManager[Callable[[Sequence[UsageRecord]], None]]]


def unpaid(provider: str) -> AbstractContextManager[Callable[[Sequence[UsageRecord]], None]]:
    """For conversations nobody keeps books of."""
    return nullcontext(lambda usage: None)


@dataclass(frozen=True, slots=True)
class Persona:
    """A caller. `opening` is the first line word for word; empty: it is improvised. At most `most_lines` are said."""

    who: str
    goal: str
    facts: str = ""
    language: str = "en-IN"
    opening: str = ""
    most_lines: int = 12


def instructions(persona: Persona) -> str:
    """What the model that plays the caller is told."""
    tongue = _LANGUAGES.get(persona.language, _LANGUAGES.get(persona.language.partition("-")[0], persona.language))
    facts = f"What you know, and nothing else:\n{persona.facts}\n" if persona.facts.strip() else ""
    return (
        "You play a person on the telephone, to rehearse a phone agent. You are the caller; the other side is the agent.\n"
        f"Who you are: {persona.who or 'an ordinary caller'}\n"
        f"What you want: {persona.goal or 'to see what the agent can do for you'}\n"
        f"{facts}"
        f"Speak {tongue}. Say one or two short sentences at a time, as people do on the telephone: no lists, no stage directions.\n"
        "Answer what you are asked. Make nothing up that contradicts what you know; if you do not know something, say so.\n"
        "Never speak for the agent and never say that this is a rehearsal.\n"
        "When you have what you want, or it is clear that you will not get it, say goodbye and write [hang up] behind it.\n"
        "To press keys write only [keys 1234#]. To say nothing at all write only [silent]."
    )


class Improviser:
    """A caller played by `model`. `paid` frames each request, and is told what it used."""

    def __init__(self, persona: Persona, model: LanguageModel, paid: Paid = unpaid) -> None:
        self._persona = persona
        self._model = model
        self._paid = paid
        self._lines = 0
        self._takes_leave = False
        self._own: list[str] = []

    def answer(self, talk: Talk, *, is_asked_for_keys: bool) -> Answer:
        """Raises `ProviderError` if whoever plays the caller cannot be reached."""
        if self._takes_leave or self._lines >= self._persona.most_lines:
            return HangUp()
        self._lines += 1
        if self._lines == 1 and self._persona.opening.strip():
            return Say(self._persona.opening.strip())
        written = self._ask(self._messages(talk, is_asked_for_keys=is_asked_for_keys))
        self._own.append(written)
        return self._meant(written)

    def _meant(self, written: str) -> Answer:
        signs = [sign.lower() for sign in _SIGN.findall(written)]
        words = " ".join(_SIGN.sub(" ", written).split())
        keys = "".join(key for sign in signs if sign.startswith("key") for key in _KEYS.findall(sign))
        self._takes_leave = any(sign.startswith("hang") for sign in signs)
        if keys:
            return Say(keys)
        if words:
            return Say(words)
        return HangUp() if self._takes_leave or not signs else StaySilent()

    def _messages(self, talk: Talk, *, is_asked_for_keys: bool) -> list[Message]:
        messages = [Message("system", instructions(self._persona))]
        for line in talk.lines:
            messages.append(Message("user" if line.speaker == AGENT else "assistant", line.text))
        if is_asked_for_keys:
            messages.append(Message("user", "(The agent waits for you to press keys now.)"))
        elif messages[-1].role != "user":
            messages.append(Message("user", "(The line is open. It is your turn to speak.)"))
        return messages

    def _ask(self, messages: Sequence[Message]) -> str:
        for last in (False, True):
            try:
                with self._paid(self._model.provider) as used:
                    text, usage = asyncio.run(_written(self._model, messages))
                    used([replace(record, purpose=PURPOSE) for record in usage])
                return text
            except ProviderError as error:
                if last or not error.retryable:
                    raise
        raise AssertionError  # the loop returns or raises


async def _written(model: LanguageModel, messages: Sequence[Message]) -> tuple[str, tuple[UsageRecord, ...]]:
    """One whole answer of the model. Raises `ProviderError`."""
    text, usage = "", None
    try:
        async with asyncio.timeout(LIMIT_S), model.reply(messages, ()) as events:
            async for event in events:
                match event:
                    case TextDelta(text=more):
                        text += more
                    case ReplyFinished(usage=told):
                        usage = told
    except TimeoutError:
        message = "did not finish what the caller says in time"
        raise ProviderError(model.provider, ErrorCategory.TIMEOUT, message, retryable=True) from None
    finally:
        await LoopClients.close_everywhere()
    if usage is None:
        raise ProviderError(model.provider, ErrorCategory.TRUNCATED, "ended what the caller says before it was complete", retryable=True)
    return text.strip(), usage
