"""Makes written text speakable: what a model writes for a screen is not what a voice should read out.

Works on one sentence at a time and must never change its meaning. What it does not know it leaves alone.
"""

import re
from functools import lru_cache

from engine.spoken_forms import spoken_forms

_CODE_FENCE = re.compile(r"```[^\n`]*\n?|`")
_IMAGE_OR_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_HEADING_OR_BULLET = re.compile(r"(?m)^[ \t]*(?:#{1,6}[ \t]+|[-*+•][ \t]+|>[ \t]*)")
_LIST_NUMBER = re.compile(r"(?m)^[ \t]*(\d{1,2})[.)][ \t]+(?=\S)")
_TABLE_LINE = re.compile(r"(?m)^[ \t]*\|?[ \t:|-]{3,}\|?[ \t]*$")
_EMPHASIS = re.compile(r"(\*{1,3}|_{2,3}|~~)(?=\S)(.+?)(?<=\S)\1")
_NUMBERED = re.compile(r"(?<!\w)#\s?(?=\d)")
_LONE_MARKS = re.compile(r"[*#|~]+")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u2300-\u23ff\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f]\u200d?"
)
_EMOTICON = re.compile(r"(?<!\S)[:;]['-]?[()DP](?!\w)")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>]+[^\s<>.,!?;:)\]'\"]", re.IGNORECASE)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_AMPERSAND = re.compile(r"\s&\s")
_SPACES = re.compile(r"\s+")


def for_voice(text: str, pronunciations: tuple[tuple[str, str], ...] = ()) -> str:
    """`text` as it should be read out; "" if nothing in it can be spoken.

    `pronunciations` are pairs (written, spoken); they hold for whole words, in upper and lower case alike.
    """
    text = _IMAGE_OR_LINK.sub(r"\1", _CODE_FENCE.sub("", text))
    text = _URL.sub(lambda match: _spoken_url(match.group()), text)
    text = _EMAIL.sub(lambda match: match.group().replace("@", " at ").replace(".", " dot "), text)
    text = _LIST_NUMBER.sub(r"\1, ", _HEADING_OR_BULLET.sub("", _TABLE_LINE.sub("", text)))
    text = _EMPHASIS.sub(r"\2", _TAG.sub("", text))
    text = _NUMBERED.sub("number ", _EMOTICON.sub("", _EMOJI.sub("", text)))
    text = _LONE_MARKS.sub(" ", text)
    if pronunciations:
        pattern, spoken = _lexicon(pronunciations)
        text = pattern.sub(lambda match: spoken[match.group().casefold()], text)
    text = _AMPERSAND.sub(" and ", spoken_forms(text))
    text = _SPACES.sub(" ", text).strip()
    return text if any(character.isalnum() for character in text) else ""


@lru_cache(maxsize=256)
def _lexicon(pronunciations: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    """Longer words first: "HDFC Bank" before "HDFC"."""
    spoken = {written.strip().casefold(): said for written, said in pronunciations if written.strip()}
    words = "|".join(re.escape(word) for word in sorted(spoken, key=len, reverse=True))
    within = "[\\w\u0900-\u097f]"  # a vowel sign of Devanagari goes on with the word
    return re.compile(rf"(?<!{within})(?:{words or '(?!)'})(?!{within})", re.IGNORECASE), spoken


def _spoken_url(url: str) -> str:
    """Only the host: nobody wants to hear a path."""
    host = re.sub(r"^(?:https?://)?(?:www\.)?", "", url, flags=re.IGNORECASE)
    return re.split(r"[/?#:]", host, maxsplit=1)[0].replace(".", " dot ")
