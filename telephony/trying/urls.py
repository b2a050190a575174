"""The paths of trying an agent, below `agents/<pk>/try/`."""

from django.urls import path

from telephony.trying import doors

urlpatterns = [
    path("", doors.page, name="agent-try"),
    path("start/", doors.start, name="agent-try-start"),
    path("<str:session_id>/unopened/", doors.unopened, name="agent-try-unopened"),
]
