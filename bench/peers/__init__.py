"""Other ways to answer the same calls, measured beside ours in the same run. They run apart and import nothing of the product."""
