"""Talking to an agent from the browser, as a caller would: over the very door that Exotel's audio comes through."""
