"""The dashboard's paths."""

from django.urls import path

from calls import dashboard

urlpatterns = [
    path("", dashboard.live, name="live"),
    path("calls/", dashboard.call_list, name="call-list"),
    path("calls/<str:session_id>/", dashboard.call_page, name="call-page"),
    path("calls/<str:session_id>/hangup/", dashboard.call_hangup, name="call-hangup"),
]
