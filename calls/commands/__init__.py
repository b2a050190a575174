"""Every write to a call's rows. Doors and the conductor call these; each is one transaction and publishes after it commits.

A repeated command changes nothing. What the carrier says late or backwards never raises and never moves a call; a command of our own
that makes no sense raises, because that is a bug.
"""

from calls.commands.accounting import account, reprice
from calls.commands.alarms import clear_alarm, raise_alarm
from calls.commands.attempts import begin_attempt, close_attempt
from calls.commands.choices import TooManyViews, begin_export, choose_columns, delete_view, note_export, save_view
from calls.commands.conversation import (
    FinishedTurn,
    add_turn,
    add_turns,
    add_usage,
    add_usages,
    end_session,
    give_up_unknown_dials,
    interruption_measured,
    sessions_alive,
    sweep_silent_sessions,
)
from calls.commands.dialling import (
    cancel_dial,
    claim_dial,
    dial_accepted,
    dial_put_off,
    dial_refused,
    dial_unknown,
    queue_outbound_call,
)
from calls.commands.drafts import Draft, drop_draft, keep_drafts
from calls.commands.drawing import draw_waveform, waveform_drawn
from calls.commands.hangup import request_hangup
from calls.commands.keeping import account_storage
from calls.commands.listing import list_call
from calls.commands.media import DEAD_AFTER, claim_media, is_awaited, is_resumed, issue_media_token, may_resume, resume_media
from calls.commands.opening import open_call
from calls.commands.orders import LONGEST_NOTE_CHARS, Order, hand_over, listening, take_orders, whisper
from calls.commands.prices import add_exchange_rate, add_price_override, end_price_override, store_price_override
from calls.commands.refolding import refold
from calls.commands.refusals import BudgetSpent, CallRefused, Declined
from calls.commands.remarks import add_note, add_tag, remove_note, remove_tag
from calls.commands.reports import COPY, CarrierReport, apply_carrier_report, apply_carrier_reports, note_poll
from calls.commands.retention import order_due_deletions, recording_deleted, recording_deletion_begun
from calls.commands.settlement import (
    analysis_over,
    begin_settlement,
    call_analysed,
    recording_fetched,
    recording_lost,
    recording_missing,
    recording_stored,
    recording_transcribed,
    retry_job,
    transcription_over,
)
from calls.commands.sharing import SHARE_DAYS, revoke_share, share_call, share_opened
from calls.commands.spending import (
    Metered,
    admit,
    admit_caller,
    book,
    check_budgets,
    meter_calls,
    meter_handed_over,
    release_forgotten,
)
from calls.commands.spoken_tests import close_unopened, give_up_unopened_tests, open_spoken_test
from calls.commands.timeline import Happened, record_event, record_talk
from calls.commands.tools import begin_tool_run, end_tool_run
from calls.commands.transfers import decide_transfer, transfer_asked, transfer_ended

__all__ = [
    "COPY",
    "DEAD_AFTER",
    "LONGEST_NOTE_CHARS",
    "SHARE_DAYS",
    "BudgetSpent",
    "CallRefused",
    "CarrierReport",
    "Declined",
    "Draft",
    "FinishedTurn",
    "Happened",
    "Metered",
    "Order",
    "TooManyViews",
    "account",
    "account_storage",
    "add_exchange_rate",
    "add_note",
    "add_price_override",
    "add_tag",
    "add_turn",
    "add_turns",
    "add_usage",
    "add_usages",
    "admit",
    "admit_caller",
    "analysis_over",
    "apply_carrier_report",
    "apply_carrier_reports",
    "begin_attempt",
    "begin_export",
    "begin_settlement",
    "begin_tool_run",
    "book",
    "call_analysed",
    "cancel_dial",
    "check_budgets",
    "choose_columns",
    "claim_dial",
    "claim_media",
    "clear_alarm",
    "close_attempt",
    "close_unopened",
    "decide_transfer",
    "delete_view",
    "dial_accepted",
    "dial_put_off",
    "dial_refused",
    "dial_unknown",
    "draw_waveform",
    "drop_draft",
    "end_price_override",
    "end_session",
    "end_tool_run",
    "give_up_unknown_dials",
    "give_up_unopened_tests",
    "hand_over",
    "interruption_measured",
    "is_awaited",
    "is_resumed",
    "issue_media_token",
    "keep_drafts",
    "list_call",
    "listening",
    "may_resume",
    "meter_calls",
    "meter_handed_over",
    "note_export",
    "note_poll",
    "open_call",
    "open_spoken_test",
    "order_due_deletions",
    "queue_outbound_call",
    "raise_alarm",
    "record_event",
    "record_talk",
    "recording_deleted",
    "recording_deletion_begun",
    "recording_fetched",
    "recording_lost",
    "recording_missing",
    "recording_stored",
    "recording_transcribed",
    "refold",
    "release_forgotten",
    "remove_note",
    "remove_tag",
    "reprice",
    "request_hangup",
    "resume_media",
    "retry_job",
    "revoke_share",
    "save_view",
    "sessions_alive",
    "share_call",
    "share_opened",
    "store_price_override",
    "sweep_silent_sessions",
    "take_orders",
    "transcription_over",
    "transfer_asked",
    "transfer_ended",
    "waveform_drawn",
    "whisper",
]
