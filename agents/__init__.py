"""Who speaks: agents, their published versions, and how a version becomes the parts of a conversation."""
