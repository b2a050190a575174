"""Was that the last word? A model that says goodbye and forgets to hang up must not leave the caller on an open line. Pure."""

import re

# "namaste" and "thank you" alone are greetings and manners as often as farewells: not here.
_FAREWELL = re.compile(
    r"\b(?:good ?bye|bye(?: ?bye)?|take care|see you (?:soon|then|tomorrow|later|on|at)|have a (?:\w+ )?(?:day|evening|night|weekend|time)"
    r"|alvida|phir milenge|shubh (?:din|ratri))\b|अलविदा|फिर मिलेंगे|फ़िर मिलेंगे|शुभ रात्रि|आपका दिन शुभ|गुडबाय|बाय",
    re.IGNORECASE,
)


def is_farewell(sentence: str) -> bool:
    """Whether `sentence`, the last of a turn, takes leave. A question never does: somebody wants an answer."""
    return not sentence.rstrip().endswith("?") and bool(_FAREWELL.search(sentence))
