"""What the doors answer: the documents that a call flow reads. Pure, but for the addresses in the settings."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from agents.spec import AgentSpec
from telephony import addresses

# What XML 1.0 cannot hold, however it is escaped.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RECORD_S = 3600
LONGEST_TALK_S = 3600  # between the caller and the person they were handed over to


def say_and_record(spec: AgentSpec, session_id: str) -> bytes:
    """The call-arrived webhook's document: the agent's first message, then a recording that reports to its own door."""
    response = ET.Element("Response")
    say = ET.SubElement(response, "Say", voice=_plain(spec.voice.voice_id), language=_plain(spec.language))
    say.text = _plain(spec.first_message) or "Hello"
    ET.SubElement(
        response, "Record", action=addresses.door(f"recording/{session_id}"), method="POST", maxLength=str(_RECORD_S), finishOnKey="#"
    )
    document: bytes = ET.tostring(response, encoding="UTF-8", xml_declaration=True)
    return document


def apologise() -> bytes:
    """The same hook's document while nobody can be looked up or let in: a sentence that needs no agent, then the end."""
    response = ET.Element("Response")
    ET.SubElement(response, "Say").text = "Sorry, we cannot take your call at this moment. Please call again in a few minutes."
    ET.SubElement(response, "Hangup")
    document: bytes = ET.tostring(response, encoding="UTF-8", xml_declaration=True)
    return document


def connect(numbers: Sequence[str], *, ring_s: int = 30, exophone: str = "", record: bool = False) -> dict[str, Any]:
    """Whom the Connect applet rings, one after the other until somebody answers. No numbers: its "nobody was dialled" branch.

    Source: Exotel's article 3000096873 "Programmable Connect" (read November 2026).
    """
    return {
        "fetch_after_attempt": False,
        "destination": {"numbers": list(numbers)},
        **({"outgoing_phone_number": exophone} if exophone else {}),
        "record": record,
        "recording_channels": "dual",
        "max_ringing_duration": ring_s,
        "max_conversation_duration": LONGEST_TALK_S,
        "music_on_hold": {"type": "operator_tone"},
        "parallel_ringing": {"activate": False},
    }


def _plain(text: str) -> str:
    return _NOT_IN_XML.sub("", text)
