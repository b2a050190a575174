"""Has a machine answered our call? Words and tones in, a verdict out. Pure; told the time.

Only what nobody says in person counts: taking a person for a machine costs the call, taking a machine for a person costs a minute.
"""

import re

from engine.tuning import Tuning

_ANNOUNCEMENT = re.compile(
    r"(?:after|at) the (?:tone|beep)|leave (?:a|your|me a|us a) (?:\w+ )?message|record (?:a|your) message|voice ?mail|mail ?box"
    r"|(?:person|party|number|subscriber|customer|user) (?:that )?(?:you|whom you|you ?'?re|you are)(?: have| are)?"
    r" (?:calling|dialed|dialled|called|trying to (?:reach|call))|cannot take your call|can ?'?t (?:take|come to) (?:your call|the phone)"
    r"|switched off|not reachable|out of (?:the )?(?:network )?coverage"
    r"|(?:beep|tone) ke baad|sandesh (?:chhod|chod|record)|jis vyakti (?:se|ko)|dial kiya gaya|sampark (?:nahi|karna chahte)"
    r"|(?:बीप|टोन) के बाद|संदेश (?:छोड़|रिकॉर्ड)|मैसेज (?:छोड़|रिकॉर्ड)|जिस व्यक्ति (?:से|को)|डायल किया(?: गया)?|स्विच(?:्ड)? ऑफ|पहुंच से बाहर",
    re.IGNORECASE,
)


def is_announcement(text: str) -> bool:
    """Whether only a machine talks like that. A secretary who *asks* whether you want to leave a message is none."""
    return not text.rstrip().endswith("?") and bool(_ANNOUNCEMENT.search(text))


class VoicemailWatch:
    """Watches the beginning of an outbound call, once. After the verdict it waits for the moment to speak: the tone, or quiet."""

    def __init__(self, tuning: Tuning, *, outbound: bool, has_message: bool) -> None:
        self._tuning = tuning
        self._is_on = outbound and tuning.voicemail != "off"
        self.leaves_message = has_message and tuning.voicemail == "leave-message"
        self._quiet_since_ms = 0

    def is_watching(self, now_ms: int) -> bool:
        return self._is_on and now_ms <= self._tuning.voicemail_window_ms

    def hears_machine(self, text: str, now_ms: int) -> bool:
        """Judges the caller's words so far; says yes at most once."""
        if not self.is_watching(now_ms) or not is_announcement(text):
            return False
        self._is_on = False
        return True

    def hears_tone(self, now_ms: int) -> bool:
        """A long, steady tone: a machine that is ready. Says yes at most once."""
        was_watching, self._is_on = self.is_watching(now_ms), False
        return was_watching

    def keep_waiting(self, now_ms: int) -> None:
        """The announcement goes on."""
        self._quiet_since_ms = now_ms

    @property
    def due_ms(self) -> int:
        """When to speak though no tone was heard."""
        return self._quiet_since_ms + self._tuning.voicemail_quiet_ms
