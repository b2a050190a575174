from django.apps import AppConfig


class VoiceagentsConfig(AppConfig):
    name = "voiceagents"

    def ready(self) -> None:
        from voiceagents import checks  # noqa: F401  (registers itself)
        from voiceagents.names import translate_names

        translate_names()
