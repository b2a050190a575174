"""The addresses of ours that Exotel is given: doors with the secret in them, and the media socket with a token in its path."""

from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings

from providers.exotel.address import ExotelConfig, root_of

DOORS_PATH = "/api/v1/webhooks/exotel/"
MEDIA_PATH = "/api/v1/media/exotel"


def door(name: str) -> str:
    """A door's address for Exotel, with the first secret as `?key=`."""
    secrets = settings.EXOTEL_WEBHOOK_SECRETS
    query = f"?{urlencode({'key': secrets[0]})}" if secrets else ""
    return f"{settings.WEBHOOK_BASE_URL}{DOORS_PATH}{name}{query}"


def media_socket(token: str) -> str:
    """The address that opens one call's audio, once."""
    return f"{settings.MEDIA_BASE_URL}{MEDIA_PATH}/{quote(token, safe=':')}"


def fixed_media_socket() -> str:
    """The address that opens any call's audio, with the first secret as Basic credentials. The call is found by its `start` message."""
    root = urlsplit(settings.MEDIA_BASE_URL)
    user = f"exotel:{quote(settings.EXOTEL_WEBHOOK_SECRETS[0], safe='')}@" if settings.EXOTEL_WEBHOOK_SECRETS else ""
    return f"{root.scheme}://{user}{root.netloc}{root.path}{MEDIA_PATH}"


def exotel() -> ExotelConfig:
    """The account from the settings."""
    return ExotelConfig(
        sid=settings.EXOTEL_SID,
        api_key=settings.EXOTEL_API_KEY,
        api_token=settings.EXOTEL_API_TOKEN,
        root=root_of(settings.EXOTEL_BASE_URL, settings.EXOTEL_SUBDOMAIN),
        recording_hosts=tuple(settings.EXOTEL_RECORDING_HOSTS),
    )
