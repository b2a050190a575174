"""The numbers a conversation can be tuned with, in one frozen place. Nothing here decides; the decision files read it."""

from dataclasses import dataclass
from typing import Literal

from engine.words import ACKNOWLEDGEMENTS, GREETINGS, INTERRUPTING, UNFINISHED


@dataclass(frozen=True, slots=True)
class Tuning:
    """Defaults fit an Indian phone call at 8 kHz. 0 switches a manner off where that makes sense.

    End of turn: words that sound complete wait `complete_wait_ms` after the provider's word for it, unfinished ones ("… and", a filler:
    `unfinished_words`) `unfinished_wait_ms`, numbers being dictated ("my number is 98…") `dictation_wait_ms`. `quiet_gap_ms` ends a turn
    whose provider never says so, `stale_interim_ms` takes a guess for words when it is never confirmed, and `max_wait_ms` after the last
    word every turn is over, however it sounds. A caller who was cut off is given up to `max_extra_wait_ms` more from then on. Keys are
    given to the model `key_gap_ms` after the last one, or at once at `key_end`.
    Ahead of the end: with `speculate` an answer is begun when complete-sounding words stood still for `eager_stable_ms`, or sooner where
    our own ear hears that the line is quiet; at most `max_guesses` times in a turn.
    Barge-in: a sound of speech that lasted `min_speech_ms` pauses the agent (`interrupt_on_speech`); `interrupt_min_words` words stop it,
    one of `interrupting_words` always does, `backchannels` alone never, nor `greetings` during the first message. Without such words it
    goes on after `false_start_ms`, and `acknowledgement_wait_ms` after a "haan". After `max_false_starts` in one reply the line counts as
    noisy: only words interrupt it. Words that are to `echo_similarity` (0..1) what the agent says just now are its own echo.
    `words_follow_ms`: how long speech may stay without words. `keys_interrupt`: a key stops the agent like a word does. `local_vad`: our
    own ear tells of speech too.
    Silence: `silence_prompts` questions before the goodbye; `farewell_wait_ms` after the agent took leave it hangs up. `warning_ms`
    before the longest duration the caller is told. `unheard_wait_ms` after a sound like speech of which the recogniser said nothing, the
    agent says that it did not catch that.
    Failures: a turn that failed is apologised for; `max_failed_turns` of them in a row, or one for which no provider at all could be
    reached, end the call, and from then on it takes at most `parting_ms`.
    Money: when the call's budget is used up, the turn in work has `budget_grace_ms` to come to its end before the goodbye.
    Voicemail: what an outbound call does when a machine answers, judged within `voicemail_window_ms` of its beginning; a message is left
    at the tone, or `voicemail_quiet_ms` after the last word.
    Waiting: the plan's filler is said `filler_after_ms` after a tool began or a provider was switched, or when an answer is not audible
    `slow_answer_ms` after it was begun, and again after each `filler_again_ms` of quiet. An answer of which nothing is audible after
    `answer_budget_ms`, tools not counted, has failed.
    Playback: `max_lead_ms` is how far ahead of real time audio may be sent; `mark_grace_ms` how long a mark may be late.
    """

    # end of turn
    complete_wait_ms: int = 0
    unfinished_wait_ms: int = 600
    unfinished_words: frozenset[str] = UNFINISHED
    dictation_wait_ms: int = 1500
    max_extra_wait_ms: int = 600
    quiet_gap_ms: int = 1200
    stale_interim_ms: int = 2500
    max_wait_ms: int = 4000
    key_gap_ms: int = 1500
    key_end: str = "#"
    # ahead of the end
    speculate: bool = True
    eager_stable_ms: int = 200
    max_guesses: int = 2
    # barge-in
    interrupt_on_speech: bool = True
    min_speech_ms: int = 0
    interrupt_min_words: int = 1
    backchannels: frozenset[str] = ACKNOWLEDGEMENTS
    interrupting_words: frozenset[str] = INTERRUPTING
    greetings: frozenset[str] = GREETINGS
    false_start_ms: int = 1200
    acknowledgement_wait_ms: int = 400
    max_false_starts: int = 2
    echo_similarity: float = 0.75
    words_follow_ms: int = 1500
    keys_interrupt: bool = True
    local_vad: bool = False
    # silence and the end
    silence_prompts: int = 2
    farewell_wait_ms: int = 4000
    unheard_wait_ms: int = 3500
    warning_ms: int = 30_000
    # voicemail
    voicemail: Literal["off", "hang-up", "leave-message"] = "off"
    voicemail_window_ms: int = 20_000
    voicemail_quiet_ms: int = 2500
    # playback
    max_lead_ms: int = 400
    mark_grace_ms: int = 1500
    prefetch_ms: int = 3000
    max_queued_ms: int = 60_000
    # while the caller waits
    filler_after_ms: int = 700
    filler_again_ms: int = 4000
    slow_answer_ms: int = 1800
    answer_budget_ms: int = 4500
    # deadlines on useful content; providers keep tighter ones of their own
    llm_first_token_ms: int = 5000
    llm_between_tokens_ms: int = 5000
    tts_first_audio_ms: int = 5000
    tts_between_audio_ms: int = 4000
    stt_open_ms: int = 5000
    # limits
    stt_reopen_attempts: int = 3
    stt_keep_ms: int = 6000
    stt_finish_ms: int = 1500
    max_failed_turns: int = 2
    max_tool_rounds: int = 4
    parting_ms: int = 6000
    hand_over_ms: int = 1000
    goodbye_limit_ms: int = 30_000
    max_duration_grace_ms: int = 10_000
    budget_grace_ms: int = 20_000
