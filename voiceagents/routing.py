"""WebSockets of the web process: the dashboard's. The caller's audio has a process of its own (`voiceagents.asgi.media`)."""

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator

from calls.consumers import websocket_urlpatterns
from voiceagents.no_nul import without_nul

websocket = AllowedHostsOriginValidator(without_nul(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))))
