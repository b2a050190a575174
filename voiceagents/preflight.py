"""What must be set before the product may start for real. Pure: a mapping of names in, one line per problem out."""

from collections.abc import Iterator
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from voiceagents.env import Environment, EnvironmentProblem

REQUIRED = {
    "EXOTEL_API_KEY": "the API key from Exotel's dashboard, Settings, API Settings",
    "EXOTEL_API_TOKEN": "the API token from Exotel's dashboard, Settings, API Settings",
    "EXOTEL_SID": "the account SID from Exotel's dashboard, Settings, API Settings",
    "EXOTEL_WEBHOOK_SECRETS": "a long random word that only Exotel and we know (make one with: openssl rand -hex 24)",
    "WEBHOOK_BASE_URL": "the https:// address at which Exotel reaches the web process",
    "MEDIA_BASE_URL": "the wss:// address at which Exotel reaches the media process",
    "OPENAI_API_KEY": "a key from platform.openai.com",
    "DEEPGRAM_API_KEY": "a key from console.deepgram.com",
    "ELEVENLABS_API_KEY": "a key from elevenlabs.io, or the word 'unused' if every agent speaks with another provider",
    "AWS_ACCESS_KEY_ID": "the access key of the recordings bucket",
    "AWS_SECRET_ACCESS_KEY": "the secret key of the recordings bucket",
    "AWS_S3_BUCKET": "the name of the recordings bucket",
}
_URLS = {
    "WEBHOOK_BASE_URL": ("https", "http"),
    "MEDIA_BASE_URL": ("wss", "ws"),
    "EXOTEL_BASE_URL": ("https", "http"),
    "OPENAI_BASE_URL": ("https", "http"),
    "DEEPGRAM_BASE_URL": ("https", "http"),
    "ELEVENLABS_BASE_URL": ("https", "http"),
    "AWS_S3_ENDPOINT_URL": ("https", "http"),
    "AWS_S3_PUBLIC_URL": ("https", "http"),
    "DATABASE_URL": ("postgresql", "postgres"),
    "REDIS_URL": ("redis", "rediss"),
}
_NO_SPACES = (
    "EXOTEL_API_KEY",
    "EXOTEL_API_TOKEN",
    "EXOTEL_SID",
    "OPENAI_API_KEY",
    "DEEPGRAM_API_KEY",
    "ELEVENLABS_API_KEY",
    "AWS_S3_BUCKET",
)


_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMATS = ("json", "console")


def problems(env: Environment) -> Iterator[str]:
    """Yields one line for each value that is missing or makes no sense, naming the variable and what to write."""
    for name, meaning in REQUIRED.items():
        if not env.words(name):  # a list of nothing but commas is no value either
            yield f"{name} is not set: it must be {meaning}."
    for name, schemes in _URLS.items():
        try:
            env.url(name, "", schemes=schemes)
        except EnvironmentProblem as problem:
            yield str(problem)
    for name in _NO_SPACES:
        if any(character.isspace() for character in env.text(name)):
            yield f"{name} holds a space or line break. Copy it again without."
    app_id = env.text("EXOTEL_APP_ID")
    if app_id and not (app_id.isascii() and app_id.isdigit()):
        yield f"EXOTEL_APP_ID={app_id!r} is not a flow's number. It is in the flow's address; leave it out for Connect Voice AI."
    level, form, zone = env.text("LOG_LEVEL", "INFO"), env.text("LOG_FORMAT", "json"), env.text("TIME_ZONE", "Asia/Kolkata")
    if level.upper() not in _LEVELS:
        yield f"LOG_LEVEL={level!r} is no level. Write one of {', '.join(_LEVELS)}."
    if form not in _FORMATS:
        yield f"LOG_FORMAT={form!r} is no format. Write {' or '.join(_FORMATS)}."
    if zone not in available_timezones():
        yield f"TIME_ZONE={zone!r} is no time zone. Write one such as Asia/Kolkata."
    for name in ("WEBHOOK_BASE_URL", "MEDIA_BASE_URL"):
        value = env.text(name)
        if value and (urlsplit(value).query or urlsplit(value).fragment):
            yield f"{name}={value} must not have a query or fragment: paths are appended to it."
    for secret in env.words("EXOTEL_WEBHOOK_SECRETS"):
        if len(secret) < 8:
            yield "EXOTEL_WEBHOOK_SECRETS holds a secret of fewer than 8 characters, which can be guessed. Use a longer one."
    ports = {name: env.text(name) for name in ("WEB_PORT", "MEDIA_PORT")}
    if ports["WEB_PORT"] and ports["WEB_PORT"] == ports["MEDIA_PORT"]:
        yield f"WEB_PORT and MEDIA_PORT are both {ports['WEB_PORT']}. They are two processes and need two ports."
