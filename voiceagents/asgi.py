"""ASGI entries: `application` for the web process, `media` for the process that talks audio with Exotel."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceagents.settings")
django.setup(set_prefix=False)  # loads every app; what follows may import models

from channels.routing import ProtocolTypeRouter  # noqa: E402

from telephony.media import application as media  # noqa: E402
from voiceagents.doors_first import Doors  # noqa: E402
from voiceagents.routing import websocket  # noqa: E402

application = ProtocolTypeRouter({"http": Doors(), "websocket": websocket})

__all__ = ["application", "media"]
