"""Sentences that rows keep and commands refuse with. They are written in English, because programs and later readers get them too, and told
in the language of whoever reads them on a page.

Each stands here as it is written where it arises, with names for what is put into it. One that is missing here is shown in English.
"""

import re
from functools import cache
from typing import Final

from django.conf import settings
from django.utils.translation import get_language, gettext, gettext_noop

from calls.outside_sentences import OUTSIDE

SENTENCES: Final = (
    *OUTSIDE,
    # Why a report of the carrier changed nothing (calls/timeline.py, calls/commands/reports.py)
    gettext_noop("nothing new in it"),
    gettext_noop("repeated: this report was applied before"),
    gettext_noop("repeated: the call is %(status)s already"),
    gettext_noop("late: the call had ended as %(status)s when %(told)s came"),
    gettext_noop("backward: %(told)s cannot follow %(status)s"),
    *(gettext_noop("queued"), gettext_noop("initiated"), gettext_noop("ringing"), gettext_noop("in-progress"), gettext_noop("completed")),
    *(gettext_noop("busy"), gettext_noop("failed"), gettext_noop("no-answer"), gettext_noop("canceled"), gettext_noop("answered")),
    # What the line told of the agent's words (calls/conductor/line.py)
    gettext_noop("%(back)s of %(all)s marks came back"),
    # Why a call failed or was refused (calls/commands)
    gettext_noop("Nobody knows whether the carrier dialled; it never reported the call."),
    gettext_noop("The agent “%(agent)s” is inactive. Activate it, or place the call with another agent."),
    # Steps after a call (calls/jobs.py, calls/tasks.py, calls/analysing.py, calls/failures.py)
    gettext_noop("Its worker died %(times)s times while running it. Look at the worker's log, then run it again."),
    gettext_noop("This release knows no work of this kind. Run the release that made it, or delete the row."),
    gettext_noop("The conversation is still running."),
    gettext_noop("The carrier has not told its price yet."),
    gettext_noop("The model's report was cut at its token limit. Make the agent's extraction schema smaller, then run this job again."),
    gettext_noop("The model's answer did not fit twice (%(why)s). Make the extraction schema simpler, or change the model."),
    gettext_noop("AWS_S3_BUCKET is not set, so recordings cannot be stored. Set it in .env, restart the worker, and run this job again."),
    gettext_noop("The recording is longer than a day."),
    gettext_noop("The recording cannot be decoded."),
    gettext_noop("The recording holds no sound."),
    gettext_noop("The page plays it without a waveform."),
    gettext_noop("%(error)s. The worker's log has the place."),
    # Recordings (calls/commands/retention.py, providers/exotel/recordings.py)
    gettext_noop("The agent keeps recordings for %(days)s days."),
    gettext_noop("The carrier keeps its own copy: Exotel documents no way to delete a recording by API (%(where)s, read %(day)s)."),
    gettext_noop("Set the retention period under Settings, Recording in its dashboard, or ask its support with the call's id."),
    # Notes, tags, links, views (calls/commands/remarks.py, sharing.py, choices.py)
    gettext_noop("Write something first."),
    gettext_noop("A note has at most %(most)s characters; this one has %(count)s. Cut it in two."),
    gettext_noop("A call has at most %(most)s notes. Write the rest where your cases are kept."),
    gettext_noop("Only who wrote a note may take it away."),
    gettext_noop("Write a word first."),
    gettext_noop("A tag has at most %(most)s characters. What needs more words is a note."),
    gettext_noop("A call has at most %(most)s tags. Take one away first."),
    gettext_noop("A link lasts %(days)s days. Choose one of them."),
    gettext_noop("A call has at most %(most)s open links. Withdraw one that nobody needs."),
    gettext_noop("You have %(most)s saved views. Delete one that you no longer need, then save this one."),
    # What cannot be searched or added up (calls/listing/finding.py, calls/analytics/sources.py, calls/ledger.py)
    gettext_noop("This combination takes too long to search. Narrow it: fewer days, one agent, or a rarer word."),
    gettext_noop("That is too much to read at once: calls can be read one by one up to %(most)s. Choose fewer days."),
    gettext_noop("Give a first and a last day, in this order and at most a year apart."),
    # Endpoints of webhooks (calls/outgoing)
    gettext_noop("The endpoint answered 410 Gone: it wants no more messages."),
    gettext_noop("Switched off at once."),
    gettext_noop("The endpoint answered %(status)s. Redirects are not followed: enter the final address."),
    gettext_noop("The endpoint answered %(status)s: it refuses us. Compare the secret, and what stands before it."),
    gettext_noop("The endpoint answered 404: nothing is at this address. Check its path."),
    gettext_noop("The endpoint answered %(status)s: it does not take this message. Its own log says why."),
    gettext_noop("The endpoint answered %(status)s: it failed. Its own log says why."),
    gettext_noop("Every try failed for %(days)s days. The last one: %(why)s"),
    gettext_noop("The endpoint is switched off. Switch it on, then replay this."),
    gettext_noop("Its worker died in every try. Look at the worker's log, then replay this."),
    # Calls past their cap (telephony/overruns.py)
    gettext_noop("The call is %(minutes)s past its cap."),
    gettext_noop("%(n)s minute"),
    gettext_noop("%(n)s minutes"),
    gettext_noop("Exotel says it goes on."),
    gettext_noop("Exotel could not be asked about it."),
    gettext_noop("Our side of its audio is being closed."),
    gettext_noop("Nothing of ours is on the line."),
    gettext_noop("End it in Exotel's dashboard, or ask their support to."),
    # Budgets (calls/budgeting.py, calls/spend.py)
    gettext_noop("The budget for each call of “%(agent)s” is used up: %(spent)s of %(amount)s."),
    gettext_noop("The budget for each call of “%(agent)s” is nearly used up: %(spent)s of %(amount)s."),
    gettext_noop("The budget for each call of “%(agent)s” stands: %(spent)s of %(amount)s."),
    gettext_noop("The budget of “%(agent)s” for %(day)s is used up: %(spent)s of %(amount)s."),
    gettext_noop("The budget of “%(agent)s” for %(day)s is nearly used up: %(spent)s of %(amount)s."),
    gettext_noop("The budget of “%(agent)s” for %(day)s stands: %(spent)s of %(amount)s."),
    gettext_noop("The budget of the account for %(month)s is used up: %(spent)s of %(amount)s."),
    gettext_noop("The budget of the account for %(month)s is nearly used up: %(spent)s of %(amount)s."),
    gettext_noop("The budget of the account for %(month)s stands: %(spent)s of %(amount)s."),
    gettext_noop("%(sum)s more could not be counted: there is no rate to %(currency)s."),
    gettext_noop("That is too little for another call: %(held)s is held for calls that run, and a minute costs about %(minute)s."),
    gettext_noop("It starts anew at midnight."),
    gettext_noop("It starts anew on the first of the month."),
    gettext_noop("Raise the budget under Budgets to go on."),
    # What has no price (calls/agent_pages/estimating.py)
    gettext_noop("%(who)s (tariff)"),
    # Where a charge has its price from (calls/charges.py, pricing/cost.py)
    gettext_noop(
        "No price for %(provider)s %(model)s (%(kind)s, per %(unit)s) on %(day)s, "
        "neither in pricing/prices.toml nor in the admin's price overrides."
    ),
    gettext_noop("The carrier never told its price."),
    gettext_noop("The carrier's own call details."),
    gettext_noop("The carrier's own call details: one price for all legs, shared out by their started minutes."),
    # Rehearsals (calls/rehearsing)
    gettext_noop("There is no active scenario to rehearse. Write one first."),
    gettext_noop("The agent is still answering. Wait for it, then write on."),
    gettext_noop("The conversation is over. Say an earlier line otherwise, or begin a new one."),
    gettext_noop("The conversation took longer than its limit of real time. Is the language model slow, or does a tool hang?"),
    gettext_noop("it ended with %(reason)s"),
    gettext_noop("it would have taken %(seconds)s s on the telephone"),
    gettext_noop("it took %(seconds)s s"),
    gettext_noop("it is measured by voice only; rehearse it by voice"),
    gettext_noop("the agent never answered"),
    gettext_noop("its slowest answer began after %(seconds)s s"),
    gettext_noop("the caller's last words had no answer for %(seconds)s s"),
    # … and those by voice
    gettext_noop("The call took longer than %(minutes)s minutes, the most that a rehearsal by voice may take."),
    gettext_noop("The call is over, but its end was not written down in time. Look at the media process's log."),
    gettext_noop("The agent made no sound on the line."),
    gettext_noop("The line was dead: nobody spoke, so the caller hung up."),
    gettext_noop("The call broke off: the process that held the caller's side died or was stopped. Rehearse it again."),
    gettext_noop("No media process answers at %(address)s. Start one, or set REHEARSE_MEDIA_URL to where workers reach it."),
    gettext_noop("The media process at %(address)s refused the call (%(status)s). Its log says why (media_refused)."),
    gettext_noop("The media process closed the call before it began. Its log says why (media_refused)."),
    gettext_noop("The call was cut off (%(reason)s). Rehearse it again; if that is cut off too, look at the media process's log."),
    gettext_noop("The thread that has the line does not answer. Is this machine overloaded?"),
    gettext_noop("%(address)s takes no call now (503): every line is busy, or it lacks its database."),
    gettext_noop("No media process took the call for %(minutes)s minutes. The last answer: %(answer)s"),
    gettext_noop("This process knows no way to open a line. Hold the rehearsal in a worker."),
    gettext_noop("Every line is busy. The rehearsal waits until a call has ended."),
    gettext_noop("It waits for its turn: %(most)s rehearsals by voice are held at once (REHEARSE_BY_VOICE_AT_ONCE)."),
    gettext_noop("The call broke off; its end is waited for."),
    gettext_noop("nobody knows what it cost: a price or an exchange rate is missing"),
    gettext_noop("the agent's side cost ₹%(cost)s"),
    gettext_noop("the model that was to judge it gave no judgement"),
    gettext_noop("this release knows no such assertion"),
    gettext_noop("it was called %(times)s times"),
    gettext_noop("it was not called"),
    gettext_noop("called with %(arguments)s"),
    gettext_noop("it was called with %(arguments)s instead"),
    gettext_noop("no tool at all"),
    gettext_noop("it was not called; the agent used %(tools)s"),
    gettext_noop("said: “%(words)s”"),
    gettext_noop("it was not said"),
    gettext_noop("it was never said"),
    gettext_noop("Line %(number)s: %(why)s"),
    gettext_noop("Write at most %(most)s lines."),
    gettext_noop("write at most %(most)s characters."),
    gettext_noop("begin with one of: %(kinds)s"),
    gettext_noop("write something behind “%(kind)s:”."),
    gettext_noop("write one of: %(words)s."),
    gettext_noop("write a number of seconds, as in “within: 120 seconds”."),
    gettext_noop("write a number of seconds, as in “answers within: 1.5 seconds”."),
    gettext_noop('write the name of a tool, and perhaps arguments: book_slot {"day": "Tuesday"}.'),
    gettext_noop('the arguments are no JSON; write them as {"day": "Tuesday"}.'),
    gettext_noop("this is no regular expression: %(error)s."),
    gettext_noop("write an amount in rupees, as in “costs at most: ₹5”."),
)
_PLACE: Final = re.compile(r"%\((\w+)\)s")
_END: Final = re.compile(r"(?<=[.!?]) (?=[^\sa-z])")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAY: Final = re.compile(rf"(?P<day>(?:\d+ )?)(?P<month>{'|'.join(_MONTHS)})(?P<year> \d{{4}})")


@cache
def _plain() -> frozenset[str]:
    return frozenset(sentence for sentence in SENTENCES if not _PLACE.search(sentence))


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Those with the most words of their own come first: `late: …` is no `…. The worker's log has the place.`"""
    with_places = sorted((sentence for sentence in SENTENCES if _PLACE.search(sentence)), key=lambda one: -len(_PLACE.sub("", one)))
    return [
        (re.compile(_PLACE.sub(r"(?P<\1>.+?)", re.escape(one).replace(r"%\(", "%(").replace(r"\)s", ")s")), re.S), one)
        for one in with_places
    ]


def in_readers_words(text: str) -> str:
    """What a row keeps or a command said, in the language of the page; what nobody has translated stays as it is."""
    if not text or get_language() in (None, settings.LANGUAGE_CODE):
        return text
    return _told(text)


def _told(text: str) -> str:
    """Sentence by sentence if each is known, else as a whole, else as many of them as are known."""
    parts = [(_one(sentence), sentence) for sentence in _END.split(text)]
    if all(told for told, _english in parts):
        return " ".join(str(told) for told, _english in parts)
    return _one(text) or " ".join(told or english for told, english in parts)


def _one(sentence: str) -> str | None:
    if sentence in _plain():
        return gettext(sentence)
    for pattern, english in _patterns():
        if found := pattern.fullmatch(sentence):
            return gettext(english) % {name: _day(_told(part)) for name, part in found.groupdict().items()}
    return None


def _day(text: str) -> str:
    """`22 November 2026` and `November 2026`, as budgets name their periods."""
    found = _DAY.fullmatch(text)
    return f"{found['day']}{gettext(found['month'])}{found['year']}" if found else text
