"""The numbers a conversation can be tuned with, in one frozen place. Nothing here decides; the decision files read it."""

from dataclasses import dataclass

_ACKNOWLEDGEMENTS = (
    "ok okay yeah hmm hm mm mhm mmhmm uh huh uhhuh haan han ha haanji ji achha acha accha theek thik hai hmmm हाँ हां जी अच्छा ठीक है हम्म"
)
BACKCHANNELS = frozenset(_ACKNOWLEDGEMENTS.split())


@dataclass(frozen=True, slots=True)
class Tuning:
    """Defaults fit an ordinary phone call at 8 kHz.

    End of turn: `unfinished_wait_ms` is added when the words sound unfinished; `quiet_gap_ms` ends a turn whose provider never says
    so; `stale_interim_ms` takes a guess for words when it is never confirmed.
    Barge-in: with `interrupt_on_speech` a sound of speech is enough, before any word; without it `interrupt_min_words` words are
    needed, and acknowledgements ("haan", "ok") alone do not interrupt. `words_follow_ms`: how long speech may stay without words.
    Playback: `max_lead_ms` is how far ahead of real time audio may be sent; `mark_grace_ms` how long a mark may be late.
    """

    # end of turn
    unfinished_wait_ms: int = 600
    quiet_gap_ms: int = 1200
    stale_interim_ms: int = 2500
    # barge-in
    interrupt_on_speech: bool = True
    interrupt_min_words: int = 1
    backchannels: frozenset[str] = BACKCHANNELS
    words_follow_ms: int = 1500
    local_vad: bool = False
    # playback
    max_lead_ms: int = 400
    mark_grace_ms: int = 1500
    prefetch_ms: int = 3000
    max_queued_ms: int = 60_000
    # deadlines on useful content; providers keep tighter ones of their own
    llm_first_token_ms: int = 5000
    llm_between_tokens_ms: int = 5000
    tts_first_audio_ms: int = 5000
    tts_between_audio_ms: int = 4000
    stt_open_ms: int = 5000
    # limits
    stt_reopen_attempts: int = 3
    stt_keep_ms: int = 5000
    stt_finish_ms: int = 1500
    max_failed_turns: int = 2
    max_tool_rounds: int = 4
    goodbye_limit_ms: int = 30_000
    max_duration_grace_ms: int = 10_000
