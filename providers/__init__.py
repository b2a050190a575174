"""The outside world, one folder for each party: their wires, their words and their failures, translated into the engine's.

Nothing here knows Django or reads the environment: configuration arrives as frozen dataclasses.
"""
