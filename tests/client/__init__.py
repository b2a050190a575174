"""The Python client and the command, against the real API."""
