"""The paths of the pages about agents."""

from django.urls import path, register_converter

from calls.agent_pages import versions, views


class Fingerprint:
    """A SHA-256 in hexadecimal."""

    regex = "[0-9a-f]{64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Fingerprint, "fingerprint")

urlpatterns = [
    path("", views.agent_list, name="agent-list"),
    path("new/", views.gallery, name="agent-gallery"),
    path("new/blank/", views.new, name="agent-new"),
    path("new/<slug:key>/", views.new, name="agent-start"),
    path("estimate/", views.estimate, name="agent-estimate"),
    path("hear/", views.hear, name="agent-hear"),
    path("hear/<fingerprint:key>.wav", views.hear_audio, name="agent-hear-audio"),
    path("<int:pk>/", versions.agent_page, name="agent-page"),
    path("<int:pk>/edit/", views.edit, name="agent-edit"),
    path("<int:pk>/publish/", views.publish, name="agent-publish"),
    path("<int:pk>/discard/", views.discard, name="agent-discard"),
    path("<int:pk>/switch/", views.switch, name="agent-switch"),
    path("<int:pk>/compare/", versions.compare, name="agent-compare"),
    path("<int:pk>/versions/<int:number>/restore/", versions.restore, name="agent-restore"),
]
