"""What many calls show together: counted by the hour, kept, and read as figures, charts and tables. It never writes a call's own rows."""
