from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """The admin finds `calls.admin` by itself; alerts, budgets and outgoing webhooks have rooms of their own."""
        import calls.alerting.admin
        import calls.budget_admin
        import calls.outgoing.admin  # noqa: F401
