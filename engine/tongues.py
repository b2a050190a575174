"""The words that figures are read out with, in English as it is spoken in India and in Hindi. Lists only."""

from collections.abc import Callable
from dataclasses import dataclass
from re import Match


@dataclass(frozen=True, slots=True)
class Tongue:
    """`joint` stands between rupees and paise; `per` between a price and what it buys."""

    rupees: tuple[str, str]
    paise: tuple[str, str]
    lakh: str
    crore: str
    percent: str
    to: str
    joint: str
    per: str
    plus: str
    months: tuple[str, ...]


ENGLISH = Tongue(
    rupees=("rupee", "rupees"),
    paise=("paisa", "paise"),
    lakh="lakh",
    crore="crore",
    percent="percent",
    to="to",
    joint="and",
    per="per",
    plus="plus",
    months=("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"),
)
HINDI = Tongue(
    rupees=("रुपया", "रुपये"),
    paise=("पैसा", "पैसे"),
    lakh="लाख",
    crore="करोड़",
    percent="प्रतिशत",
    to="से",
    joint="और",
    per="प्रति",
    plus="प्लस",
    months=("जनवरी", "फ़रवरी", "मार्च", "अप्रैल", "मई", "जून", "जुलाई", "अगस्त", "सितंबर", "अक्टूबर", "नवंबर", "दिसंबर"),
)

Form = Callable[[Match[str], Tongue], str]
"""How one kind of figure or shorthand is said."""
