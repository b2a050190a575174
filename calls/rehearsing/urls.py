"""The paths of conversations in writing and of rehearsals, below an agent's own."""

from django.urls import path

from calls.rehearsing import doors, talk_doors

urlpatterns = [
    path("<int:pk>/try/text/", talk_doors.begin, name="written-talks"),
    path("<int:pk>/try/text/<str:session_id>/", talk_doors.talk_page, name="written-talk"),
    path("<int:pk>/try/text/<str:session_id>/say/", talk_doors.say, name="written-say"),
    path("<int:pk>/try/text/<str:session_id>/otherwise/", talk_doors.otherwise, name="written-otherwise"),
    path("<int:pk>/try/text/<str:session_id>/end/", talk_doors.end, name="written-end"),
    path("<int:pk>/rehearsals/", doors.rehearsals, name="rehearsals"),
    path("<int:pk>/rehearsals/new/", doors.scenario, name="scenario-new"),
    path("<int:pk>/rehearsals/from/<str:session_id>/", doors.from_call, name="scenario-from-call"),
    path("<int:pk>/rehearsals/run/", doors.begin, name="rehearsal-begin"),
    path("<int:pk>/rehearsals/rule/", doors.rule, name="rehearsal-rule"),
    path("<int:pk>/rehearsals/runs/<int:run_id>/", doors.run_page, name="rehearsal-run"),
    path("<int:pk>/rehearsals/runs/<int:run_id>/stop/", doors.stop, name="rehearsal-stop"),
    path("<int:pk>/rehearsals/<int:scenario_id>/", doors.scenario, name="scenario-edit"),
    path("<int:pk>/rehearsals/<int:scenario_id>/delete/", doors.delete, name="scenario-delete"),
]
