"""What the doors answer: the documents that a call flow reads. Pure, but for the addresses in the settings."""

import re
import xml.etree.ElementTree as ET

from agents.spec import AgentSpec
from telephony import addresses

# What XML 1.0 cannot hold, however it is escaped.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RECORD_S = 3600


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


def _plain(text: str) -> str:
    return _NOT_IN_XML.sub("", text)
