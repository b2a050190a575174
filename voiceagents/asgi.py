"""ASGI entries: `application` for the web process, `media` for the process that talks audio with Exotel."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceagents.settings")
_http = get_asgi_application()  # loads every app; what follows may import models

from channels.routing import ProtocolTypeRouter  # noqa: E402

from telephony.media import application as media  # noqa: E402
from voiceagents.routing import websocket  # noqa: E402

application = ProtocolTypeRouter({"http": _http, "websocket": websocket})

__all__ = ["application", "media"]
