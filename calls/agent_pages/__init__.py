"""The operators' pages about agents: made from a starter, changed as a draft, published, compared and brought back.

They stand in this room because what an agent costs and how its calls went is known here; what an agent is, only `agents` decides.
"""
