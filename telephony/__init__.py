"""The phone line: exophones, Exotel's webhooks, the media socket, dialling."""
