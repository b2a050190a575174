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
CALLS: Final[tuple[str, ...]] = ()

WORDS: Final = (*FRAME, *AGENTS, *TRYING, *CALLS)
