"""The dashboard's paths."""

from django.urls import path

from calls import dashboard, list_page, money_page

urlpatterns = [
    path("", dashboard.live, name="live"),
    path("money/", money_page.money, name="money"),
    path("money/drift.csv", money_page.drift_csv, name="money-drift"),
    path("calls/", list_page.call_list, name="call-list"),
    path("calls/export.csv", list_page.export, {"form": "csv"}, name="call-export-csv"),
    path("calls/export.xlsx", list_page.export, {"form": "xlsx"}, name="call-export-xlsx"),
    path("calls/columns/", list_page.choose_columns, name="call-columns"),
    path("calls/views/", list_page.save_view, name="call-view-save"),
    path("calls/views/<int:view_id>/delete/", list_page.delete_view, name="call-view-delete"),
    path("calls/<str:session_id>/", dashboard.call_page, name="call-page"),
    path("calls/<str:session_id>/hangup/", dashboard.call_hangup, name="call-hangup"),
]
