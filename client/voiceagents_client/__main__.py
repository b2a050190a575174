"""`python -m voiceagents_client`, where the command is not on the path."""

from voiceagents_client.cli import main

main()
