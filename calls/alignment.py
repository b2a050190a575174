"""The live turns found again in the transcript of the recording: which of them were really to be heard, and whose voice each one was. Pure.

Both tell the same talk. Live turns know who spoke, but were recognised in a hurry, and what the agent said is what we sent, not what
arrived; the recording heard everything and knows only channels or voices. Their clocks start apart, so the offset is found first.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final, NamedTuple

_NEAR_MS: Final = 4_000  # how far apart the two tellings of one sentence may lie, once their clocks agree
_BIN_MS: Final = 2_000
_SAME: Final = 0.5  # the share of words that makes two texts one
_SURE: Final = 0.6
_VOTING_TURNS, _VOTING_UTTERANCES = 40, 400


class Spoken(NamedTuple):
    """A live turn."""

    speaker: str
    number: int
    text: str
    started_ms: int
    ended_ms: int


class Heard(NamedTuple):
    """An utterance of the recording. `voice` is its channel or the speaker that the transcriber told apart."""

    voice: str
    start_ms: int
    end_ms: int
    text: str


@dataclass(slots=True)
class Placed:
    """A turn and where it is in the recording. `similarity`: the share of its words that were heard there."""

    speaker: str
    number: int
    heard: bool = False
    similarity: float = 0.0
    utterances: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Alignment:
    """`offset_ms`: what to add to a turn's time for the recording's. `names`: voice -> caller or agent.

    `unmatched`: utterances that belong to no turn.
    """

    offset_ms: int
    names: dict[str, str]
    turns: list[Placed]
    unmatched: list[int]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def voice_of(utterance: Mapping[str, Any]) -> str:
    """Whose voice it is, as the transcriber tells: `c1` for a channel, `s0` for a speaker of the only one."""
    speaker = utterance.get("speaker")
    return f"c{utterance.get('channel') or 0}" if speaker is None else f"s{speaker}"


def align(turns: Sequence[Spoken], utterances: Sequence[Heard]) -> Alignment:
    """Each utterance goes to the turn near it that has most of its words; then, to a turn of the same speaker that it overlaps."""
    turn_words, said_words = [_words(turn.text) for turn in turns], [_words(said.text) for said in utterances]
    offset_ms = _offset(turns, turn_words, utterances, said_words)
    by_words = {place: _by_words(said, said_words[place], turns, turn_words, offset_ms) for place, said in enumerate(utterances)}
    names = _names(turns, utterances, said_words, by_words)
    placed = [Placed(turn.speaker, turn.number) for turn in turns]
    unmatched = []
    for place, said in enumerate(utterances):
        found = by_words[place]
        if found is None or names.get(said.voice, turns[found].speaker) != turns[found].speaker:
            found = _by_time(said, names.get(said.voice, ""), turns, offset_ms)
        if found is None:
            unmatched.append(place)
        else:
            placed[found].utterances.append(place)
    for number, turn in enumerate(placed):
        there = sum((said_words[place] for place in turn.utterances), Counter())
        turn.similarity = round(_share(turn_words[number], there), 2)
        turn.heard = bool(turn.utterances)
    return Alignment(offset_ms, names, placed, unmatched)


def _offset(
    turns: Sequence[Spoken], turn_words: Sequence[Counter[str]], utterances: Sequence[Heard], said_words: Sequence[Counter[str]]
) -> int:
    """The delay on which most pairs of like texts agree; 0 if there are none."""
    delays = [
        said.start_ms - turn.started_ms
        for turn, words in zip(turns[:_VOTING_TURNS], turn_words, strict=False)
        for said, other in zip(utterances[:_VOTING_UTTERANCES], said_words, strict=False)
        if words and other and min(_share(words, other), _share(other, words)) >= _SURE
    ]
    if not delays:
        return 0
    votes = Counter(delay // _BIN_MS for delay in delays)
    best = max(votes, key=lambda bin_: (votes[bin_ - 1] + votes[bin_] + votes[bin_ + 1], -abs(bin_)))
    return round(median(delay for delay in delays if abs(delay // _BIN_MS - best) <= 1))


def _by_words(said: Heard, words: Counter[str], turns: Sequence[Spoken], turn_words: Sequence[Counter[str]], offset_ms: int) -> int | None:
    best: tuple[float, float, int] | None = None
    for number, turn in enumerate(turns):
        apart = _apart_ms(said, turn, offset_ms)
        if apart > _NEAR_MS or not words:
            continue
        share = _share(words, turn_words[number])
        if share >= _SAME and (best is None or (share, -apart) > best[:2]):
            best = share, -apart, number
    return None if best is None else best[2]


def _by_time(said: Heard, name: str, turns: Sequence[Spoken], offset_ms: int) -> int | None:
    """The turn of that speaker which it overlaps for at least half of the shorter one: the same sentence, recognised differently."""
    for number, turn in enumerate(turns):
        start, end = turn.started_ms + offset_ms, turn.ended_ms + offset_ms
        shorter = min(end - start, said.end_ms - said.start_ms)
        if name and turn.speaker == name and shorter > 0 and min(end, said.end_ms) - max(start, said.start_ms) >= shorter / 2:
            return number
    return None


def _names(
    turns: Sequence[Spoken], utterances: Sequence[Heard], said_words: Sequence[Counter[str]], found: Mapping[int, int | None]
) -> dict[str, str]:
    """Each voice is whoever's turns it shares most words with. A voice without a like turn stays nameless."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for place, number in found.items():
        if number is not None:
            votes[utterances[place].voice][turns[number].speaker] += said_words[place].total()
    return {voice: count.most_common(1)[0][0] for voice, count in sorted(votes.items())}


def _apart_ms(said: Heard, turn: Spoken, offset_ms: int) -> float:
    """The gap between the two in time; 0 if they overlap."""
    return max(turn.started_ms + offset_ms - said.end_ms, said.start_ms - turn.ended_ms - offset_ms, 0)


def _share(words: Counter[str], among: Counter[str]) -> float:
    """How much of `words` is there again."""
    return (words & among).total() / words.total() if words else 0.0


def _words(text: str) -> Counter[str]:
    """Without punctuation and case, in every script (marks belong to their letters)."""
    plain = "".join(
        " " if unicodedata.category(letter)[0] in "PSZC" else letter for letter in unicodedata.normalize("NFKC", text).casefold()
    )
    return Counter(plain.split())
