"""Every HTTP path of the web process. Each room keeps its own table; here they are only joined."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path, re_path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import DefaultRouter

import agents.api
import agents.tool_api
import calls.api
import calls.budget_api
import calls.outgoing.api
import calls.parts_api
import calls.rehearsing.api
import telephony.api
from access import page as access_page
from access.doors import guarded
from audit.page import history_page
from voiceagents import health, problems

router = DefaultRouter()
router.include_format_suffixes = False
every_route = (
    *agents.api.routes,
    *agents.tool_api.routes,
    *telephony.api.routes,
    *calls.api.routes,
    *calls.parts_api.routes,
    *calls.outgoing.api.routes,
    *calls.budget_api.routes,
    *calls.rehearsing.api.routes,
)
for prefix, view_set, basename in every_route:
    router.register(prefix, guarded(view_set), basename=basename)

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/webhooks/exotel/", include("telephony.urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/", include(router.urls)),
    re_path(r"^api/", problems.nowhere),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("history/", history_page, name="history"),
    path("keys/", access_page.keys_page, name="api-keys"),
    path("keys/<int:pk>/revoke/", access_page.revoke, name="api-key-revoke"),
    path("agents/<int:pk>/try/", include("telephony.trying.urls")),
    path("", include("calls.urls")),
]

handler400 = problems.bad_request
handler500 = problems.server_error
