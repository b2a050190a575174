"""Who changed what, and when: the history of everything that people set up. It reads every room's history and changes nothing."""
