from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """The admin finds `calls.admin` by itself; the pages of outgoing webhooks are another room."""
        from calls.outgoing import admin  # noqa: F401
