"""ElevenLabs: speech over an HTTP stream."""
