"""What a call is: its session, call log, turns, recording, usage and charges; the work behind it; the pages and API that show it."""
