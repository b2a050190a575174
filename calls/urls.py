"""The dashboard's paths."""

from django.urls import include, path

from calls import dashboard, money_page

urlpatterns = [
    path("", dashboard.live, name="live"),
    path("money/", money_page.money, name="money"),
    path("money/drift.csv", money_page.drift_csv, name="money-drift"),
    path("agents/", include("calls.agent_pages.urls")),
    path("calls/", dashboard.call_list, name="call-list"),
    path("calls/<str:session_id>/", dashboard.call_page, name="call-page"),
    path("calls/<str:session_id>/hangup/", dashboard.call_hangup, name="call-hangup"),
]
