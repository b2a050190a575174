"""The conversation itself: turns, endpointing, barge-in, playback.

Pure Python and numpy. Nothing here knows Django, a socket, a vendor or a price, so a whole phone call can be played in
virtual time by a test. Everything from outside comes in through `engine.ports`.
"""
