"""Signed webhooks to operators' own systems: what became of a call is told to whoever runs the business, until it has arrived.

A room of its own because it speaks to strangers: nothing of a call waits for an endpoint, and nothing that an endpoint says changes a call.
"""
