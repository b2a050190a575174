"""The dashboard's paths."""

from django.urls import include, path

from calls import dashboard, list_page, live_doors, money_page
from calls.alerting import doors as alerts
from calls.analytics import doors as analytics
from calls.page import doors as page

urlpatterns = [
    path("", dashboard.live, name="live"),
    path("money/", money_page.money, name="money"),
    path("money/drift.csv", money_page.drift_csv, name="money-drift"),
    path("analytics/", analytics.analytics, name="analytics"),
    path("agents/", include("calls.agent_pages.urls")),
    path("alerts/", alerts.alerts_page, name="alerts"),
    path("alerts/bell/", alerts.bell, name="alert-bell"),
    path("alerts/<int:alert_id>/acknowledge/", alerts.acknowledge, name="alert-acknowledge"),
    path("agents/", include("calls.rehearsing.urls")),
    path("calls/", list_page.call_list, name="call-list"),
    path("calls/export.csv", list_page.export, {"form": "csv"}, name="call-export-csv"),
    path("calls/export.xlsx", list_page.export, {"form": "xlsx"}, name="call-export-xlsx"),
    path("calls/columns/", list_page.choose_columns, name="call-columns"),
    path("calls/views/", list_page.save_view, name="call-view-save"),
    path("calls/views/<int:view_id>/delete/", list_page.delete_view, name="call-view-delete"),
    path("calls/tags/", page.tags, name="call-tags"),
    path("calls/<str:session_id>/", dashboard.call_page, name="call-page"),
    path("calls/<str:session_id>/waveform.json", page.waveform, name="call-waveform"),
    path("calls/<str:session_id>/draw/", page.draw, name="call-draw"),
    path("calls/<str:session_id>/notes/", page.note_add, name="call-note"),
    path("calls/<str:session_id>/notes/<int:note_id>/remove/", page.note_remove, name="call-note-remove"),
    path("calls/<str:session_id>/tags/", page.tag_add, name="call-tag"),
    path("calls/<str:session_id>/tags/remove/", page.tag_remove, name="call-tag-remove"),
    path("calls/<str:session_id>/shares/", page.share, name="call-share"),
    path("calls/<str:session_id>/shares/<str:share_id>/revoke/", page.share_revoke, name="call-share-revoke"),
    path("calls/<str:session_id>/hangup/", dashboard.call_hangup, name="call-hangup"),
    path("calls/<str:session_id>/webhooks/<str:message_id>/replay/", dashboard.webhook_replay, name="webhook-replay"),
    path("calls/<str:session_id>/whisper/", live_doors.whisper, name="call-whisper"),
    path("calls/<str:session_id>/hand-over/", live_doors.hand_over, name="call-hand-over"),
    path("calls/<str:session_id>/listen/", live_doors.listen, name="call-listen"),
    path("shared/<str:token>/", page.shared, name="call-shared"),
    path("shared/<str:token>/waveform.json", page.shared_waveform, name="call-shared-waveform"),
]
