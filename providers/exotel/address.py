"""Where Exotel's API is and as whom we speak to it. Pure."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_KNOWN_TAIL: Final = re.compile(r"(?i)/(?:v1|v2|v2_beta)/accounts(?:/[^/]*)?$|/(?:v1|v2|v2_beta)$")


@dataclass(frozen=True, slots=True)
class ExotelConfig:
    """An account. `root` is the API's address without a version, for example `https://api.exotel.com`."""

    sid: str
    api_key: str = field(repr=False)
    api_token: str = field(repr=False)
    root: str = "https://api.exotel.com"
    recording_hosts: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        parts = urlsplit(self.root)
        return f"{parts.scheme}://{parts.netloc}"

    def v1(self, resource: str) -> str:
        return f"{self.root}/v1/Accounts/{self.sid}{resource}"

    def v2_beta(self, resource: str) -> str:
        return f"{self.root}/v2_beta/Accounts/{self.sid}{resource}"

    @property
    def flow_host(self) -> str:
        """The host of the dashboard, where flows have their addresses: the API's region decides."""
        return "my.in.exotel.com" if (urlsplit(self.root).hostname or "") == "api.in.exotel.com" else "my.exotel.com"


def root_of(base_url: str, subdomain: str = "") -> str:
    """The API's root. `base_url` may end in a version and account as older guides write it; empty: the region's host from `subdomain`.

    `subdomain`: `api`, `api.in`, `api.exotel.com`, with or without `@` and scheme before it. An unknown path is kept as a prefix.
    """
    if base_url:
        return _KNOWN_TAIL.sub("", base_url.rstrip("/")).rstrip("/")
    host = subdomain.strip().lower().removeprefix("https://").removeprefix("@").strip("/") or "api"
    return f"https://{host}" if host.endswith((".exotel.com", ".exotel.in")) else f"https://{host}.exotel.com"
