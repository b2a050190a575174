"""OpenAI: chat completions and speech."""
