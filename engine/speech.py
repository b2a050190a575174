"""Makes written text speakable: what a model writes for a screen is not what a voice should read out.

Works on one sentence at a time and must never change its meaning. What it does not know it leaves alone.
"""

import re

_CODE_FENCE = re.compile(r"```[^\n`]*\n?|`")
_IMAGE_OR_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_HEADING_OR_BULLET = re.compile(r"(?m)^[ \t]*(?:#{1,6}[ \t]+|[-*+•][ \t]+|>[ \t]*)")
_TABLE_LINE = re.compile(r"(?m)^[ \t]*\|?[ \t:|-]{3,}\|?[ \t]*$")
_EMPHASIS = re.compile(r"(\*{1,3}|_{2,3}|~~)(?=\S)(.+?)(?<=\S)\1")
_LONE_MARKS = re.compile(r"[*#|~]+")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u2300-\u23ff\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f]\u200d?"
)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>]+[^\s<>.,!?;:)\]'\"]", re.IGNORECASE)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_AMOUNT = r"(\d[\d,]*)(?:\.(\d{1,2}))?(?![\d.]*\d)"
_SCALE = r"(\s*(?:lakhs?|crores?|thousand|million|billion|k)\b)?"
_RUPEES = re.compile(rf"(?:₹|\bRs\.?|\bINR)\s*{_AMOUNT}(?:/-)?{_SCALE}", re.IGNORECASE)
_DOLLARS = re.compile(rf"\$\s*{_AMOUNT}{_SCALE}", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.,])(\+?\d(?:[ \-]?\d){9,13})(?![\w]|[.,]\d)")
_PERCENT = re.compile(r"(?<=\d)\s?%")
_AMPERSAND = re.compile(r"\s&\s")
_SPACES = re.compile(r"\s+")


def for_voice(text: str, pronunciations: tuple[tuple[str, str], ...] = ()) -> str:
    """`text` as it should be read out; "" if nothing in it can be spoken."""
    text = _IMAGE_OR_LINK.sub(r"\1", _CODE_FENCE.sub("", text))
    text = _URL.sub(lambda match: _spoken_url(match.group()), text)
    text = _EMAIL.sub(lambda match: match.group().replace("@", " at ").replace(".", " dot "), text)
    text = _HEADING_OR_BULLET.sub("", _TABLE_LINE.sub("", text))
    text = _EMPHASIS.sub(r"\2", _TAG.sub("", text))
    text = _EMOJI.sub("", _LONE_MARKS.sub(" ", text))
    text = _RUPEES.sub(lambda match: _spoken_money(match, ("rupee", "rupees"), ("paisa", "paise")), text)
    text = _DOLLARS.sub(lambda match: _spoken_money(match, ("dollar", "dollars"), ("cent", "cents")), text)
    text = _PHONE.sub(lambda match: _spoken_number(match.group()), text)
    text = _AMPERSAND.sub(" and ", _PERCENT.sub(" percent", text))
    text = _SPACES.sub(" ", text).strip()
    return text if any(character.isalnum() for character in text) else ""


def _spoken_url(url: str) -> str:
    """Only the host: nobody wants to hear a path."""
    host = re.sub(r"^(?:https?://)?(?:www\.)?", "", url, flags=re.IGNORECASE)
    return re.split(r"[/?#:]", host, maxsplit=1)[0].replace(".", " dot ")


def _spoken_money(match: re.Match[str], whole_names: tuple[str, str], part_names: tuple[str, str]) -> str:
    whole, part, scale = match.group(1).replace(",", ""), match.group(2), match.group(3)
    if scale:
        scale = " thousand" if scale.strip().casefold() == "k" else f" {scale.strip()}"
        return f"{whole}{f'.{part}' if part else ''}{scale} {whole_names[1]}"
    spoken = f"{whole} {whole_names[0] if whole == '1' else whole_names[1]}"
    cents = int(part.ljust(2, "0")) if part else 0
    return f"{spoken} and {cents} {part_names[0] if cents == 1 else part_names[1]}" if cents else spoken


def _spoken_number(number: str) -> str:
    """Digit by digit, with a breath between the country, and the halves of the ten digits, as people say them in India."""
    digits = re.sub(r"\D", "", number)
    groups = [digits[:-10], digits[-10:-5], digits[-5:]]
    spoken = ", ".join(" ".join(group) for group in groups if group)
    return f"plus {spoken}" if number.startswith("+") else spoken
