"""What the scripts of the pages say, so that it can be translated. `say` in static/js/words.js looks a sentence up by its English.

Each stands here exactly as in its script; tests/voiceagents/test_words.py compares them.
"""

from typing import Final

from django.utils.translation import gettext_noop as _

FRAME: Final = (
    _("Confirm"),
    _("You are logged out, or this page is too old. Load it again."),
    _("That is not there any more. Load the page again."),
    _("The server could not do that ({status}). Try again in a moment."),
    _("The server could not do that. Try again in a moment."),
    _("The server does not answer. Check your connection and try again."),
    _("The server did not answer in time. Try again."),
    _("Alerts: {shown} new, {open} open"),
    _("Alerts: none"),
)
AGENTS: Final = (_("No call can fill in {names}."),)
TRYING: Final = (
    _("Start talking"),
    _("Try again"),
    _("Waiting for the microphone"),
    _("On the line"),
    _("The microphone is gone. The agent hears silence until you start again with one."),
    _("The sound could not be set up. Load the page again."),
    _("Connecting"),
    _("Not started"),
    _("Ended before it began"),
    _("Not connected"),
    _("Over"),
    _("The line broke: the network, or the media process, gave up. What was said until then is kept."),
    _("Mute"),
    _("Unmute"),
    _("answered in {latency}"),
    _("This page may not use the microphone. Allow it in the browser (the sign beside the address), then start again."),
    _("There is no microphone. Plug one in, then start again."),
    _("The microphone is in use by another program. Close that program, then start again."),
    _("This microphone cannot be used for calls. Choose another one in the browser, then start again."),
    _("This browser gives no microphone to this page. Open it over https in a current browser."),
    _("The microphone cannot be used ({name})."),
    _("This browser cannot play live sound here. Open the page over https in a current browser."),
)
CALLS: Final = (
    _("{calls} calls, {answered} answered"),
    _("{calls} calls, {answered} answered, {before} before"),
    _("Hide"),
    _("Show"),
    _("Copied"),
    _("Press Ctrl+C"),
    _("The recording cannot be played just now. Load the page again: its link may have run out."),
    _("Play this turn, {time}"),
    _("The waveform did not arrive. The recording plays without it."),
    _("This browser cannot play live sound here: the page must be opened over https."),
    _("This call cannot be heard: it has just ended, or its media process cannot be reached from this browser."),
    _("The sound broke off. Press Listen to hear it again."),
    _("Listening"),
    _("Listening, {seconds} s behind"),
    _("Listening, waiting for sound"),
    _("and {more} more: open Calls to see them"),
    _("You are logged out. Log in again to go on watching."),
    _("This call is not there any more, or belongs to somebody else."),
    _("Connected"),
    _("Connected, every few seconds"),
    _("Reconnecting"),
    _("Stopped"),
    _("latency:"),
    _("Agent"),
    _("Caller"),
    _("interrupted"),
    _("interrupted, quiet after {ms} ms"),
    _("Tool"),
    _("Note"),
    _("asked"),
    _("gave back"),
    _("Hanging up"),
    _("Hang up"),
    _("Nothing said yet. Words appear here as they are spoken."),
    _("Nothing was said in this call."),
    _("Pick a call to read along."),
    _("Stop listening"),
    _("Listen"),
    _("Agent speaks"),
    _("Caller speaks"),
    _("Test from a browser"),
    _("Inbound"),
    _("Outbound"),
)

WORDS: Final = (*FRAME, *AGENTS, *TRYING, *CALLS)
