"""What the agent is told beside its operator's prompt, and the sentences it says when no model can be asked.

The manners are short because every reply reads them. Prepared sentences name nobody's gender and promise nothing that we cannot keep.
"""

from typing import Final, Literal

from agents import variables
from agents.spec import AgentSpec, Mode
from agents.variables import CallFacts

Tongue = Literal["en", "hi", "mixed"]

APOLOGY: Final[dict[Tongue, str]] = {
    "en": "Sorry, I had a problem just now. Could you say that again, please?",
    "hi": "माफ़ कीजिए, अभी एक दिक्कत आ गई। कृपया एक बार फिर से कहिए।",
    "mixed": "Sorry, अभी एक problem आ गई। Please एक बार फिर से बोलिए।",
}
GOODBYE: Final[dict[Tongue, str]] = {
    "en": "Thank you for calling. Goodbye!",
    "hi": "कॉल करने के लिए धन्यवाद। नमस्ते!",
    "mixed": "Call करने के लिए thank you. नमस्ते!",
}
MUST_END: Final[dict[Tongue, str]] = {
    "en": "Sorry, this call has to end here. Thank you for calling, goodbye!",
    "hi": "माफ़ कीजिए, यह कॉल यहीं समाप्त करनी होगी। धन्यवाद, नमस्ते!",
    "mixed": "Sorry, यह call यहीं end करनी होगी। Thank you, नमस्ते!",
}
NOT_CAUGHT: Final[dict[Tongue, str]] = {
    "en": "Sorry, I did not catch that. Could you say it again?",
    "hi": "माफ़ कीजिए, आवाज़ ठीक से सुनाई नहीं दी। कृपया फिर से कहिए।",
    "mixed": "Sorry, आपकी आवाज़ clear नहीं आई। Please फिर से बोलिए।",
}
REGRET: Final[dict[Tongue, str]] = {
    "en": "Sorry, we have a technical problem.",
    "hi": "माफ़ कीजिए, एक तकनीकी दिक्कत है।",
    "mixed": "Sorry, एक technical problem है।",
}
STILL_THERE: Final[dict[Tongue, str]] = {
    "en": "Hello, are you still there?",
    "hi": "हैलो, क्या आप लाइन पर हैं?",
    "mixed": "Hello, क्या आप line पर हैं?",
}
FILLER: Final[dict[Tongue, str]] = {
    "en": "One moment, please.",
    "hi": "एक मिनट, कृपया।",
    "mixed": "एक second, please.",
}
TIME_WARNING: Final[dict[Tongue, str]] = {
    "en": "We have only a little time left on this call.",
    "hi": "इस कॉल में अब थोड़ा ही समय बचा है।",
    "mixed": "इस call में अब थोड़ा ही time बचा है।",
}
HANDOVER: Final[dict[Tongue, str]] = {
    "en": "One moment, I am connecting you.",
    "hi": "एक मिनट, कॉल आगे जोड़ी जा रही है।",
    "mixed": "एक second, आपकी call connect हो रही है।",
}
_SPEAK: Final[dict[Tongue, str]] = {
    "en": "Speak English.",
    "hi": "Speak Hindi, written in Devanagari. Everyday English words that callers use themselves are welcome.",
    "mixed": "Answer in the language of the caller's last sentence: Hindi (written in Devanagari), English, or the everyday mix of both.",
}
_MANNERS: Final = """\
You are speaking with a caller on the telephone. Your words are turned into speech and theirs into text.
- {speak}
- Say one to three short sentences at a time, then let the caller speak. Ask one question at a time.
- Use plain spoken words only: no lists, headings, markdown, emoji, links or stage directions.
- Say numbers, dates, times and amounts the way a person says them aloud.
- What the caller said may be misheard. If something makes no sense, ask; read names, numbers and dates back before you rely on them.
- Never make up facts that you were not given. If you do not know, say so.
- When the talk is over or the caller says goodbye, say goodbye in one short sentence and call the tool end_call."""


_WHISPER: Final = (
    "A colleague who listens to this call tells you something that the caller does not hear. Heed it from your next answer on, "
    "and never say that somebody listens: {note}"
)


def whisper(note: str) -> str:
    """What the model is told when an operator whispers to the agent."""
    return _WHISPER.format(note=note)


def tongue(language: str) -> Tongue:
    """Which prepared sentences fit a BCP 47 tag; `multi` means Hindi and English mixed."""
    if language == "multi":
        return "mixed"
    return "hi" if language.split("-")[0].lower() == "hi" else "en"


def system_prompt(spec: AgentSpec, facts: CallFacts) -> str:
    """The operator's prompt as it reads in this call, then our manners for the phone. Empty for voicemail: there no model is asked."""
    if spec.mode is Mode.VOICEMAIL:
        return ""
    return f"{variables.fill(spec.prompt, facts).strip()}\n\n{_MANNERS.format(speak=_SPEAK[tongue(spec.language)])}"
