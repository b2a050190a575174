"""Deliveries as Exotel's captures and pages show them, with numbers that belong to nobody."""

import json
from typing import Any

SID = "0f3c9a1e7b2d4c5f8a6b0d1e2f3a198c"
STREAM_SID = "5d2c9a1e7b2d4c5f8a6b0d1e2f3a198c"
HUMAN, HUMAN_0 = "+919876543211", "09876543211"
EXOPHONE, EXOPHONE_0 = "+918047112230", "08047112230"
STREAM_RECORDING = f"https://recordings.exotel.com/exotelrecordings/exampleco1/{SID}.mp3"

PASSTHRU_ANSWERED: dict[str, Any] = {
    "CallSid": SID,
    "CallFrom": HUMAN_0,
    "CallTo": EXOPHONE_0,
    "Direction": "incoming",
    "ForwardedFrom": "null",
    "Created": "Wed, 23 Feb 2022 12:31:59",
    "DialCallDuration": "17",
    "RecordingUrl": "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/exampleco1/x.mp3",
    "StartTime": "2022-02-23 12:31:58",
    "EndTime": "1970-01-01 05:30:00",
    "DialCallStatus": "completed",
    "CallType": "completed",
    "DialWhomNumber": "09876543219",
    "ProcessStatus": "null",
    "flow_id": "228040",
    "tenant_id": "67291",
    "From": HUMAN_0,
    "To": "08047112288",
    "RecordingAvailableBy": "Wed, 23 Feb 2022 12:37:25",
    "CurrentTime": "2022-02-23 12:32:25",
    "OutgoingPhoneNumber": "08047112288",
    "digits": '"1"',
    "Legs[0][Number]": "09876543219",
    "Legs[0][Type]": "single",
    "Legs[0][OnCallDuration]": "10",
    "Legs[0][CallerId]": EXOPHONE_0,
    "Legs[0][CauseCode]": "NORMAL_CLEARING",
    "Legs[0][Cause]": "16",
}
PASSTHRU_NO_ANSWER = {
    **PASSTHRU_ANSWERED,
    "DialCallStatus": "no-answer",
    "CallType": "incomplete",
    "DialCallDuration": "0",
    "Legs[0][CauseCode]": "RING_TIMEOUT",
    "Legs[0][Cause]": "1003",
}
PASSTHRU_OUTBOUND = {
    "CallSid": SID,
    "Direction": "outbound-dial",
    "CallStatus": "ringing",
    "CallType": "incomplete",
    "CallFrom": HUMAN_0,
    "From": HUMAN_0,
    "CallTo": EXOPHONE_0.lstrip("0"),
    "To": EXOPHONE_0,
    "flow_id": "1",
    "tenant_id": "2",
}
TERMINAL_FORM = {
    "CallSid": SID,
    "EventType": "terminal",
    "DateCreated": "2025-08-12 10:48:33",
    "DateUpdated": "2025-08-12 10:50:02",
    "Status": "completed",
    "To": "09876543212",
    "From": HUMAN_0,
    "PhoneNumberSid": EXOPHONE_0,
    "StartTime": "2025-08-12 10:48:33",
    "EndTime": "2025-08-12 10:50:01",
    "ConversationDuration": "61",
    "Direction": "outbound-api",
    "RecordingUrl": STREAM_RECORDING,
    "CustomField": "order-17",
    "Legs[0][OnCallDuration]": "75",
    "Legs[0][Status]": "completed",
    "Legs[1][OnCallDuration]": "61",
    "Legs[1][Status]": "completed",
}
ANSWERED_JSON: dict[str, Any] = {
    "CallSid": SID,
    "EventType": "answered",
    "DateCreated": "2025-08-12 10:48:33",
    "DateUpdated": "2025-08-12 10:48:41",
    "Status": "in-progress",
    "To": "09876543212",
    "From": HUMAN_0,
    "PhoneNumberSid": EXOPHONE_0,
    "Direction": "outbound-api",
    "Legs": [{"OnCallDuration": 0, "Status": "in-progress"}, {"OnCallDuration": 0, "Status": ""}],
}
BASE_CALLBACK = {"CallSid": SID, "DateUpdated": "2025-08-12 10:50:02", "Status": "no-answer", "RecordingUrl": ""}
_STREAM = {
    "StreamSID": STREAM_SID,
    "Status": "completed",
    "Duration": "64",
    "DisconnectedBy": "bot",
    "StreamUrl": "wss://media.example.com/api/v1/media/exotel/a-token",
    "RecordingUrl": STREAM_RECORDING,
}
_AFTER = {"CallSid": SID, "flow_id": "1", "Direction": "inbound", "From": HUMAN, "To": EXOPHONE}
AFTER_BOT = {**_AFTER, **{f"Stream[{name}]": value for name, value in _STREAM.items()}}
AFTER_BOT_AS_JSON = {**_AFTER, "Stream": json.dumps(_STREAM)}
AFTER_BOT_FAILED = {
    **_AFTER,
    "Stream[Status]": "failed",
    "Stream[DisconnectedBy]": "NA",
    "Stream[Error]": "3009 failed to establish ws conn",
}
INCOMING = {"CallSid": SID, "From": HUMAN_0, "To": EXOPHONE_0, "Direction": "incoming"}
VOICEBOT = {
    "CallSid": SID,
    "CallFrom": HUMAN_0,
    "CallTo": EXOPHONE_0,
    "Direction": "incoming",
    "Created": "Wed, 23 Feb 2022 12:31:59",
    "CallStatus": "ringing",
    "CurrentTime": "2022-02-23 12:32:25",
}
