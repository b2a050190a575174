"""Words that carry a meaning of their own in a telephone talk, in English, Hindi and the mix of both, in either script. Lists only.

They are defaults: an operator may replace each list for an agent.
"""

import re

_WORD = re.compile(r"[^\W_]+(?:['’\u0900-\u097f]+[^\W_]*)*")


def words_of(text: str) -> list[str]:
    """The words in `text`, lower-cased, without punctuation; Devanagari vowel signs stay with their letters."""
    return [word.casefold() for word in _WORD.findall(text)]


# "I am listening": said while the other one speaks, and no wish to speak.
_LISTENING = (
    "ok okay okey yeah yep hmm hm hmmm mm mmm mhm mmhmm uh huh uhhuh right sure fine alright"
    " haan han ha haa haanji ji jee achha acha accha achcha theek thik teek hai sahi bilkul samajh gaya gayi"
    " हाँ हां हा जी हाँजी अच्छा ठीक है हम्म हूँ सही बिल्कुल बिलकुल समझ गया गई ओके"
)
ACKNOWLEDGEMENTS = frozenset(_LISTENING.split())

# Said when a call is picked up: no wish to stop the greeting that it meets half-way.
_PICKING_UP = "hello hallo hi namaste namaskar hey हैलो हेलो नमस्ते नमस्कार हाय"
GREETINGS = frozenset(_PICKING_UP.split())

# "Let me speak": one of these is enough, however many words are asked for.
_OBJECTING = (
    "stop wait hold listen pause excuse sorry hello no"
    " ruko rukiye rukie ruk roko thahro thehro suno suniye sunie bas nahi nahin"
    " रुको रुकिए रुकिये रुक रोको ठहरो सुनो सुनिए सुनिये बस नहीं नही हैलो हेलो"
)
INTERRUPTING = frozenset(_OBJECTING.split())

# No sentence ends with one of these: more is coming, however long the breath.
_DANGLING = (
    "a an the and or but so because if when while that which who my your his her our their its is are was were am be to of for from in on"
    " at with by as about um uh er erm umm hmm actually basically like"
    " aur ya lekin magar par kyunki toh matlab mera meri mere ka ki ke ko se woh jo agar phir mujhe main yaani"
    " और या लेकिन मगर क्योंकि तो मतलब मेरा मेरी मेरे का की के को से वो वह जो अगर फिर मुझे मैं यानी"
)
UNFINISHED = frozenset(_DANGLING.split())
