from django.apps import AppConfig


class TelephonyConfig(AppConfig):
    name = "telephony"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Rehearsals by voice call through our own media door, and only this room knows how that is done."""
        from calls.rehearsing import lines
        from telephony.telephone import call_agent

        lines.install(call_agent)
