"""How a call is put into words for operators: one table per vocabulary, used by pages and live sockets alike.

Pure and without markup; it never reads a row's relations and never decides anything about a call.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import phonenumbers

from calls.endings import Confirmation, EndedBy, ender_of
from calls.status import CallStatus

# status -> (words, tone). A tone is the colour family of static/css/tokens.css.
STATUS: dict[str, tuple[str, str]] = {
    CallStatus.QUEUED: ("Queued", "wait"),
    CallStatus.INITIATED: ("Dialling", "wait"),
    CallStatus.RINGING: ("Ringing", "wait"),
    CallStatus.IN_PROGRESS: ("In progress", "live"),
    CallStatus.COMPLETED: ("Completed", "good"),
    CallStatus.BUSY: ("Busy", "warn"),
    CallStatus.FAILED: ("Failed", "bad"),
    CallStatus.NO_ANSWER: ("No answer", "warn"),
    CallStatus.CANCELED: ("Canceled", "quiet"),
}

# The engine's end reasons, and who that was.
END_REASON: dict[str, str] = {
    "caller-hangup": "The caller hung up",
    "agent-goodbye": "The agent said goodbye and hung up",
    "operator-hangup": "An operator hung up",
    "silence": "The agent hung up: the caller stayed silent",
    "max-duration": "The agent hung up: the longest allowed duration was reached",
    "budget": "The agent hung up: a budget is used up",
    "voicemail-done": "The agent left its message and hung up",
    "voicemail-detected": "The agent hung up: a machine had answered",
    "transferred": "The agent handed the caller over",
    "provider-failed": "The agent hung up: a provider failed and nothing could replace it",
    "link-lost": "The line was lost without a hang-up",
    "shutdown": "Ended by us: the service was shutting down",
    "crash": "Ended by us: the conversation's process died",
}

# Who ended the call, where no better reason of ours is known.
ENDED_BY: dict[str, str] = {
    EndedBy.CALLER: "The caller hung up",
    EndedBy.AGENT: "The agent hung up",
    EndedBy.CARRIER: "The carrier ended the call",
    EndedBy.OPERATOR: "An operator hung up",
    EndedBy.WATCHDOG: "Ended by us: a limit was reached",
    EndedBy.CRASH: "Ended by us: the conversation's process died",
    EndedBy.UNKNOWN: "Nobody has said who hung up",
}

# Who that is, as one word in lists.
ENDER: dict[str, str] = {
    EndedBy.CALLER: "by caller",
    EndedBy.AGENT: "by agent",
    EndedBy.CARRIER: "by carrier",
    EndedBy.OPERATOR: "by operator",
    EndedBy.WATCHDOG: "by watchdog",
    EndedBy.CRASH: "by our crash",
    EndedBy.UNKNOWN: "not known by whom",
}

# (words, tone) of whether the carrier has said that the leg is down.
CONFIRMATION: dict[str, tuple[str, str]] = {
    Confirmation.CONFIRMED: ("Ended, confirmed by carrier", "good"),
    Confirmation.NOT_CONFIRMED: ("Ended, not confirmed by carrier", "warn"),
}

TEST_OVER = ("Ended: there was no carrier on the line", "quiet")

# The carrier's causes: names and numbers of telephony (ITU-T Q.850, FreeSWITCH), and Exotel's words for legs and streams.
_CAUSE: dict[str, str] = {
    "normal-clearing": "hung up normally",
    "16": "hung up normally",
    "completed": "hung up normally",
    "user-busy": "the line was busy",
    "17": "the line was busy",
    "busy": "the line was busy",
    "no-user-response": "the phone did not answer the network",
    "18": "the phone did not answer the network",
    "no-answer": "nobody answered",
    "19": "nobody answered",
    "ring-timeout": "nobody answered in time",
    "1003": "nobody answered in time",
    "call-rejected": "the call was declined",
    "21": "the call was declined",
    "unallocated-number": "the number is not in service",
    "1": "the number is not in service",
    "invalid-number-format": "the number is not complete",
    "28": "the number is not complete",
    "subscriber-absent": "the phone is switched off or out of coverage",
    "20": "the phone is switched off or out of coverage",
    "destination-out-of-order": "the line is out of order",
    "27": "the line is out of order",
    "network-out-of-order": "the network is out of order",
    "38": "the network is out of order",
    "normal-temporary-failure": "the network failed for a moment",
    "41": "the network failed for a moment",
    "normal-circuit-congestion": "the network is full",
    "34": "the network is full",
    "switch-congestion": "the network is full",
    "42": "the network is full",
    "recovery-on-timer-expire": "the network did not answer in time",
    "102": "the network did not answer in time",
    "originator-cancel": "the caller hung up before it was answered",
    "client-hangup": "the caller hung up before it was answered",
    "canceled": "canceled before it was answered",
    "allotted-timeout": "the time limit of the call was reached",
    "602": "the time limit of the call was reached",
    "failed": "the call could not be connected",
    "streaming-call-throttled": "too many audio streams at once: raise the carrier's limit",
}

USAGE: dict[str, str] = {
    "stt": "Speech to text",
    "llm": "Language model",
    "tts": "Text to speech",
    "transcription": "Transcription of the recording",
    "telephony": "Telephony",
    "storage": "Storage",
}

# Why something was used, where it is not what the caller heard.
PURPOSE: dict[str, str] = {
    "lost": "estimated, its process died before it could tell",
    "speculative": "prepared ahead and not needed",
    "interrupted": "cut short by the caller, estimated",
    "analysis": "for the summary after the call",
    "failed": "broke off, estimated",
    "unseen": "asked for when a process died, estimated",
}


def usage_words(kind: str, purpose: str) -> str:
    words = USAGE.get(kind, kind)
    return f"{words}, {PURPOSE.get(purpose, purpose)}" if purpose else words


EVENT_SOURCE: dict[str, str] = {
    "carrier": "Carrier",
    "details": "Carrier, call details",
    "stream": "Audio stream",
    "api": "API",
    "engine": "Agent",
    "operator": "Operator",
    "sweeper": "Repair",
}

JOB: dict[str, str] = {
    "telephony.dial": "Dial",
    "telephony.fetch_recording": "Fetch the recording",
    "calls.upload_recording": "Store the recording",
    "calls.transcribe_recording": "Transcribe the recording",
    "calls.draw_recording": "Draw the waveform",
    "calls.analyse": "Summarise the call",
    "calls.rehearse": "Rehearse the scenario",
    "calls.account": "Account the costs",
    "telephony.delete_recording": "Delete the recording",
}


def status_words(status: str) -> str:
    return STATUS.get(status, (status.replace("-", " ").capitalize(), "quiet"))[0]


def status_tone(status: str) -> str:
    return STATUS.get(status, ("", "quiet"))[1]


def end_words(reason: str) -> str:
    """Who ended the call and why; empty while nobody did."""
    return END_REASON.get(reason, reason.replace("-", " ").capitalize())


def ended_words(ended_by: str, reason: str) -> str:
    """Our side of a call's end: the talk's own reason, unless events tell of somebody else."""
    return end_words(reason) if reason and ender_of(reason) == ended_by else ENDED_BY.get(ended_by, "") or end_words(reason)


def cause_words(cause: str) -> str:
    """The carrier's side of a call's end, in plain words; a cause that nobody knows stays as the carrier wrote it."""
    return _CAUSE.get(cause.strip().lower().replace("_", "-").replace(" ", "-"), cause)


_LEAST_DIGITS = 7


def mask_number(number: str) -> str:
    """`+919876543212` -> `+91••••••••12`: the country code and the last two digits stay."""
    if not number:
        return "Number withheld"
    digits = number.lstrip("+")
    if len(digits) < _LEAST_DIGITS:
        return "•" * max(len(digits) - 2, 0) + digits[-2:]
    try:
        code = str(phonenumbers.parse(number if number.startswith("+") else f"+{digits}").country_code)
    except phonenumbers.NumberParseException:
        code = ""
    lead = f"+{code}" if code and digits.startswith(code) else ""
    return lead + "•" * (len(digits) - len(code if lead else "") - 2) + digits[-2:]


def number_words(number: str, *, in_full: bool) -> str:
    """A caller's number as this reader may see it."""
    return number if in_full and number else mask_number(number)


def without_number(told: Any, number: str) -> Any:
    """What was told, however deep, with every spelling of this number masked. What is no JSON stays."""
    last = "".join(letter for letter in number if letter.isdigit())[-10:]
    if len(last) < _LEAST_DIGITS:
        return told
    spelling = re.compile(r"(?<!\d)(?:\+?\d{1,4}[\s().-]*)?" + r"[\s().-]*".join(last) + r"(?!\d)")
    return _without(told, spelling, mask_number(number))


def _without(told: Any, spelling: re.Pattern[str], mask: str) -> Any:
    if isinstance(told, str):
        return spelling.sub(mask, told)
    if isinstance(told, Mapping):
        return {name: _without(inner, spelling, mask) for name, inner in told.items()}
    if isinstance(told, list):
        return [_without(inner, spelling, mask) for inner in told]
    return mask if isinstance(told, int) and not isinstance(told, bool) and spelling.fullmatch(str(told)) else told


def duration_words(seconds: float | None) -> str:
    """`0:42`, `12:05`, `1:02:09`; a dash if unknown."""
    if seconds is None:
        return "–"
    whole = max(int(seconds), 0)
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def latency_words(milliseconds: float | None) -> str:
    """`840 ms` below a second, `1.24 s` above; a dash if unknown."""
    if milliseconds is None:
        return "–"
    whole = round(milliseconds)
    return f"{whole} ms" if whole < 1000 else f"{whole / 1000:.2f} s"


def latency_tone(milliseconds: float | None) -> str:
    """Callers call more than 800 ms sluggish and leave after 1.5 s, again and again."""
    if milliseconds is None:
        return "quiet"
    return "good" if milliseconds <= 800 else "warn" if milliseconds <= 1500 else "bad"


_SYMBOL = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£"}


def money_words(amount: Decimal | None, currency: str, *, at_least: int = 2, at_most: int = 6) -> str:
    """`₹1.20`, `$0.000364`: no digit that matters is rounded away below `at_most` places. None is `unpriced`, never 0."""
    if amount is None:
        return "unpriced"
    rounded = amount.quantize(Decimal(1).scaleb(-at_most))
    text = f"{rounded:,f}"
    whole, _, places = text.partition(".")
    places = places.rstrip("0").ljust(at_least, "0")
    symbol = _SYMBOL.get(currency, f"{currency} " if currency else "")
    sign, whole = ("−", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{symbol}{whole}.{places}" if places else f"{sign}{symbol}{whole}"


def quantity_words(quantity: int, unit: str) -> str:
    """A quantity as a person would say it: `1:24 of audio`, `1,204 input tokens`."""
    if unit == "audio_ms":
        return f"{quantity / 1000:,.1f} s of audio"
    if unit == "call_seconds":
        return f"{duration_words(quantity)} of call"
    if unit == "byte_months":
        return f"{quantity / 1_000_000:,.2f} MB for a month"
    return f"{quantity:,} {unit.replace('_', ' ')}"


def per_words(price_per: int | None, unit: str) -> str:
    """What a unit price buys: `1M tokens`, `min of audio`."""
    if not price_per:
        return ""
    if unit == "audio_ms":
        return {60_000: "min", 1_000: "s", 3_600_000: "h"}.get(price_per, f"{price_per:,} ms")
    if unit == "call_seconds":
        return {60: "min", 1: "s", 3600: "h"}.get(price_per, f"{price_per:,} s")
    if unit == "byte_months":
        return {1_073_741_824: "GB and month"}.get(price_per, f"{price_per:,} bytes and month")
    noun = unit.split("_")[-1]
    if price_per == 1:
        return noun.rstrip("s")
    short = (
        f"{price_per // 1_000_000}M"
        if price_per % 1_000_000 == 0
        else f"{price_per // 1000}K"
        if price_per % 1000 == 0
        else f"{price_per:,}"
    )
    return f"{short} {noun}"


def unheard(heard: str, generated: str) -> str:
    """The rest of an interrupted turn: what the agent meant to say and the caller did not hear."""
    heard, generated = heard.strip(), generated.strip()
    if not generated or generated == heard:
        return ""
    return generated[len(heard) :].strip() if generated.startswith(heard) else generated


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a latency strip, in ms from the caller's last word."""

    name: str
    start_ms: int
    length_ms: int


def latency_parts(*, total_ms: int | None, endpointing_ms: int | None, llm_ms: int | None, tts_ms: int | None) -> tuple[Part, ...]:
    """The strip of one turn: known parts one after the other, cut at the measured total; what is left is `other`."""
    if not total_ms:
        return ()
    parts, at = [], 0
    for name, length in (("endpointing", endpointing_ms), ("model", llm_ms), ("voice", tts_ms)):
        if length and at < total_ms:
            parts.append(Part(name, at, min(length, total_ms - at)))
            at += parts[-1].length_ms
    if at < total_ms:
        parts.append(Part("other", at, total_ms - at))
    return tuple(parts)
