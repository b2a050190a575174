"""The API's doors: keys, limits, requests that come twice, and refusals."""
