"""Exotel: its REST API, its webhooks' words and its media WebSocket, as seen from our side of the wire."""
