from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """The admin finds `calls.admin` by itself; alerts, budgets and outgoing webhooks have rooms of their own."""
        from agents import gates
        from calls import budget_admin  # noqa: F401
        from calls.alerting import admin as alerts  # noqa: F401
        from calls.outgoing import admin  # noqa: F401
        from calls.rehearsing.publishing import objection

        gates.register(objection)
