"""Deepgram: live recognition on our own socket, batch transcription through the SDK."""
