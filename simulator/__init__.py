"""A faithful Exotel and wire-faithful vendors in one process, so that the product can be run and tested without an account.

It stands apart: it imports nothing of the product and reaches it over HTTP and WebSocket alone, as the real parties would.
"""
