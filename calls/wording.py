"""How a call is put into words for operators: one table per vocabulary, used by pages and live sockets alike.

Pure and without markup; it never reads a row's relations and never decides anything about a call. The tables are in English and are only
marked for translation; what the functions return is in the language of whoever is answered. So nothing from here may be stored.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import phonenumbers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext, pgettext

from calls.endings import Confirmation, EndedBy, ender_of
from calls.sentences import in_readers_words
from calls.status import CallStatus, Direction

# status -> (words, tone). A tone is the colour family of static/css/tokens.css.
STATUS: dict[str, tuple[str, str]] = {
    CallStatus.QUEUED: (gettext_noop("Queued"), "wait"),
    CallStatus.INITIATED: (gettext_noop("Dialling"), "wait"),
    CallStatus.RINGING: (gettext_noop("Ringing"), "wait"),
    CallStatus.IN_PROGRESS: (gettext_noop("In progress"), "live"),
    CallStatus.COMPLETED: (gettext_noop("Completed"), "good"),
    CallStatus.BUSY: (gettext_noop("Busy"), "warn"),
    CallStatus.FAILED: (gettext_noop("Failed"), "bad"),
    CallStatus.NO_ANSWER: (gettext_noop("No answer"), "warn"),
    CallStatus.CANCELED: (gettext_noop("Canceled"), "quiet"),
}

# The engine's end reasons, and who that was.
END_REASON: dict[str, str] = {
    "caller-hangup": gettext_noop("The caller hung up"),
    "agent-goodbye": gettext_noop("The agent said goodbye and hung up"),
    "operator-hangup": gettext_noop("An operator hung up"),
    "silence": gettext_noop("The agent hung up: the caller stayed silent"),
    "max-duration": gettext_noop("The agent hung up: the longest allowed duration was reached"),
    "budget": gettext_noop("The agent hung up: a budget is used up"),
    "voicemail-done": gettext_noop("The agent left its message and hung up"),
    "voicemail-detected": gettext_noop("The agent hung up: a machine had answered"),
    "transferred": gettext_noop("The agent handed the caller over"),
    "provider-failed": gettext_noop("The agent hung up: a provider failed and nothing could replace it"),
    "link-lost": gettext_noop("The line was lost without a hang-up"),
    "shutdown": gettext_noop("Ended by us: the service was shutting down"),
    "crash": gettext_noop("Ended by us: the conversation's process died"),
}

# Who ended the call, where no better reason of ours is known.
ENDED_BY: dict[str, str] = {
    EndedBy.CALLER: gettext_noop("The caller hung up"),
    EndedBy.AGENT: gettext_noop("The agent hung up"),
    EndedBy.CARRIER: gettext_noop("The carrier ended the call"),
    EndedBy.OPERATOR: gettext_noop("An operator hung up"),
    EndedBy.WATCHDOG: gettext_noop("Ended by us: a limit was reached"),
    EndedBy.CRASH: gettext_noop("Ended by us: the conversation's process died"),
    EndedBy.UNKNOWN: gettext_noop("Nobody has said who hung up"),
}

# Who that is, as one word in lists.
ENDER: dict[str, str] = {
    EndedBy.CALLER: gettext_noop("by caller"),
    EndedBy.AGENT: gettext_noop("by agent"),
    EndedBy.CARRIER: gettext_noop("by carrier"),
    EndedBy.OPERATOR: gettext_noop("by operator"),
    EndedBy.WATCHDOG: gettext_noop("by watchdog"),
    EndedBy.CRASH: gettext_noop("by our crash"),
    EndedBy.UNKNOWN: gettext_noop("not known by whom"),
}

# (words, tone) of whether the carrier has said that the leg is down.
CONFIRMATION: dict[str, tuple[str, str]] = {
    Confirmation.CONFIRMED: (gettext_noop("Ended, confirmed by carrier"), "good"),
    Confirmation.NOT_CONFIRMED: (gettext_noop("Ended, not confirmed by carrier"), "warn"),
}

TEST_OVER = (gettext_noop("Ended: there was no carrier on the line"), "quiet")

# The carrier's causes: names and numbers of telephony (ITU-T Q.850, FreeSWITCH), and Exotel's words for legs and streams.
_CAUSE: dict[str, str] = {
    "normal-clearing": gettext_noop("hung up normally"),
    "16": gettext_noop("hung up normally"),
    "completed": gettext_noop("hung up normally"),
    "user-busy": gettext_noop("the line was busy"),
    "17": gettext_noop("the line was busy"),
    "busy": gettext_noop("the line was busy"),
    "no-user-response": gettext_noop("the phone did not answer the network"),
    "18": gettext_noop("the phone did not answer the network"),
    "no-answer": gettext_noop("nobody answered"),
    "19": gettext_noop("nobody answered"),
    "ring-timeout": gettext_noop("nobody answered in time"),
    "1003": gettext_noop("nobody answered in time"),
    "call-rejected": gettext_noop("the call was declined"),
    "21": gettext_noop("the call was declined"),
    "unallocated-number": gettext_noop("the number is not in service"),
    "1": gettext_noop("the number is not in service"),
    "invalid-number-format": gettext_noop("the number is not complete"),
    "28": gettext_noop("the number is not complete"),
    "subscriber-absent": gettext_noop("the phone is switched off or out of coverage"),
    "20": gettext_noop("the phone is switched off or out of coverage"),
    "destination-out-of-order": gettext_noop("the line is out of order"),
    "27": gettext_noop("the line is out of order"),
    "network-out-of-order": gettext_noop("the network is out of order"),
    "38": gettext_noop("the network is out of order"),
    "normal-temporary-failure": gettext_noop("the network failed for a moment"),
    "41": gettext_noop("the network failed for a moment"),
    "normal-circuit-congestion": gettext_noop("the network is full"),
    "34": gettext_noop("the network is full"),
    "switch-congestion": gettext_noop("the network is full"),
    "42": gettext_noop("the network is full"),
    "recovery-on-timer-expire": gettext_noop("the network did not answer in time"),
    "102": gettext_noop("the network did not answer in time"),
    "originator-cancel": gettext_noop("the caller hung up before it was answered"),
    "client-hangup": gettext_noop("the caller hung up before it was answered"),
    "canceled": gettext_noop("canceled before it was answered"),
    "allotted-timeout": gettext_noop("the time limit of the call was reached"),
    "602": gettext_noop("the time limit of the call was reached"),
    "failed": gettext_noop("the call could not be connected"),
    "streaming-call-throttled": gettext_noop("too many audio streams at once: raise the carrier's limit"),
}

USAGE: dict[str, str] = {
    "stt": gettext_noop("Speech to text"),
    "llm": gettext_noop("Language model"),
    "tts": gettext_noop("Text to speech"),
    "transcription": gettext_noop("Transcription of the recording"),
    "telephony": gettext_noop("Telephony"),
    "storage": gettext_noop("Storage"),
}

# Why something was used, where it is not what the caller heard.
PURPOSE: dict[str, str] = {
    "lost": gettext_noop("estimated, its process died before it could tell"),
    "speculative": gettext_noop("prepared ahead and not needed"),
    "interrupted": gettext_noop("cut short by the caller, estimated"),
    "analysis": gettext_noop("for the summary after the call"),
    "failed": gettext_noop("broke off, estimated"),
    "unseen": gettext_noop("asked for when a process died, estimated"),
}


def usage_words(kind: str, purpose: str) -> str:
    words = said(USAGE, kind)
    return _("%(what)s, %(why)s") % {"what": words, "why": said(PURPOSE, purpose)} if purpose else words


def said(table: Mapping[str, str], word: str) -> str:
    """A table's words for `word` in the reader's language; a word that nobody knows stays as it is."""
    return _(table[word]) if table.get(word) else word


# What models are billed by; the names of prices and rows, as a person says them.
_UNIT: dict[str, str] = {
    "input_tokens": gettext_noop("input tokens"),
    "cached_input_tokens": gettext_noop("cached input tokens"),
    "cache_write_tokens": gettext_noop("cache write tokens"),
    "output_tokens": gettext_noop("output tokens"),
    "characters": gettext_noop("characters"),
    "requests": gettext_noop("requests"),
    "tokens": gettext_noop("tokens"),
    "token": gettext_noop("token"),
    "character": gettext_noop("character"),
    "request": gettext_noop("request"),
}

EVENT_SOURCE: dict[str, str] = {
    "carrier": gettext_noop("Carrier"),
    "details": gettext_noop("Carrier, call details"),
    "stream": gettext_noop("Audio stream"),
    "api": gettext_noop("API"),
    "engine": gettext_noop("Agent"),
    "operator": gettext_noop("Operator"),
    "sweeper": gettext_noop("Repair"),
}

JOB: dict[str, str] = {
    "telephony.dial": gettext_noop("Dial"),
    "telephony.fetch_recording": gettext_noop("Fetch the recording"),
    "calls.upload_recording": gettext_noop("Store the recording"),
    "calls.transcribe_recording": gettext_noop("Transcribe the recording"),
    "calls.draw_recording": gettext_noop("Draw the waveform"),
    "calls.analyse": gettext_noop("Summarise the call"),
    "calls.rehearse": gettext_noop("Rehearse the scenario"),
    "calls.account": gettext_noop("Account the costs"),
    "telephony.delete_recording": gettext_noop("Delete the recording"),
}


def status_words(status: str) -> str:
    return _(STATUS[status][0]) if status in STATUS else status.replace("-", " ").capitalize()


def status_tone(status: str) -> str:
    return STATUS.get(status, ("", "quiet"))[1]


def direction_words(direction: str) -> str:
    return _("Inbound") if direction == Direction.INBOUND else _("Outbound")


def end_words(reason: str) -> str:
    """Who ended the call and why; empty while nobody did."""
    return _(END_REASON[reason]) if reason in END_REASON else reason.replace("-", " ").capitalize()


def ended_words(ended_by: str, reason: str) -> str:
    """Our side of a call's end: the talk's own reason, unless events tell of somebody else."""
    return (
        end_words(reason)
        if reason and ender_of(reason) == ended_by
        else (said(ENDED_BY, ended_by) if ended_by in ENDED_BY else end_words(reason))
    )


def cause_words(cause: str) -> str:
    """The carrier's side of a call's end, in plain words; a cause that nobody knows stays as the carrier wrote it."""
    known = _CAUSE.get(cause.strip().lower().replace("_", "-").replace(" ", "-"))
    return _(known) if known else in_readers_words(cause)


_LEAST_DIGITS = 7


def mask_number(number: str) -> str:
    """`+919876543212` -> `+91••••••••12`: the country code and the last two digits stay."""
    if not number:
        return _("Number withheld")
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
        return _("unpriced")
    rounded = amount.quantize(Decimal(1).scaleb(-at_most))
    text = f"{rounded:,f}"
    whole, _point, places = text.partition(".")
    places = places.rstrip("0").ljust(at_least, "0")
    symbol = _SYMBOL.get(currency, f"{currency} " if currency else "")
    sign, whole = ("−", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{symbol}{whole}.{places}" if places else f"{sign}{symbol}{whole}"


def quantity_words(quantity: int, unit: str) -> str:
    """A quantity as a person would say it: `1:24 of audio`, `1,204 input tokens`."""
    if unit == "audio_ms":
        return _("%(seconds)s s of audio") % {"seconds": f"{quantity / 1000:,.1f}"}
    if unit == "call_seconds":
        return _("%(duration)s of call") % {"duration": duration_words(quantity)}
    if unit == "byte_months":
        return _("%(megabytes)s MB for a month") % {"megabytes": f"{quantity / 1_000_000:,.2f}"}
    return f"{quantity:,} {said(_UNIT, unit) if unit in _UNIT else unit.replace('_', ' ')}"


def per_words(price_per: int | None, unit: str) -> str:
    """What a unit price buys: `1M tokens`, `min of audio`."""
    if not price_per:
        return ""
    if unit == "audio_ms":
        return {60_000: pgettext("unit", "min"), 1_000: "s", 3_600_000: pgettext("unit", "h")}.get(price_per, f"{price_per:,} ms")
    if unit == "call_seconds":
        return {60: pgettext("unit", "min"), 1: "s", 3600: pgettext("unit", "h")}.get(price_per, f"{price_per:,} s")
    if unit == "byte_months":
        bytes_ = ngettext("%(bytes)s byte and month", "%(bytes)s bytes and month", price_per) % {"bytes": f"{price_per:,}"}
        return {1_073_741_824: _("GB and month")}.get(price_per, bytes_)
    noun = unit.split("_")[-1]
    if price_per == 1:
        return said(_UNIT, noun.rstrip("s"))
    short = (
        f"{price_per // 1_000_000}M"
        if price_per % 1_000_000 == 0
        else f"{price_per // 1000}K"
        if price_per % 1000 == 0
        else f"{price_per:,}"
    )
    return f"{short} {said(_UNIT, noun)}"


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a latency strip, in ms from the caller's last word."""

    name: str
    start_ms: int
    length_ms: int


# The parts of a strip, by their names in css/transcript.css.
_PART: dict[str, str] = {
    "endpointing": gettext_noop("endpointing"),
    "model": gettext_noop("model"),
    "voice": gettext_noop("voice"),
    "other": gettext_noop("other"),
    "carrier": gettext_noop("carrier"),
}


def part_words(name: str) -> str:
    return said(_PART, name)


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
