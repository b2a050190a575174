"""Exotel as it is on the wire: the REST API, call flows and their webhooks, the media WebSocket and the recordings' host.

Everything that Exotel's sources leave in doubt is a switch in `ExotelSettings`. Nothing here helps the product along: a rule of
Exotel's that it breaks is kept as a breach, never repaired.
"""
