"""Who may call the API, how often, and what happens to a request that comes twice."""
