"""Conversations in writing with the real engine: an operator who types, and callers that a language model plays (rehearsals).

Nothing of it rings anybody: the calls are marked as tests, have no carrier and cost what the language model costs.
"""
