from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """The admin finds `agents.admin` by itself; the tools' pages are their own room."""
        from agents import tool_admin  # noqa: F401
