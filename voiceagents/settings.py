"""Settings of every process, read top to bottom. Values come from the environment through `voiceagents.env` only."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from providers.config import StorageConfig
from providers.storage.options import storage_options
from voiceagents import env as environment
from voiceagents import logs

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = BASE_DIR / ".local"
env = environment.load()

# --- who we are to the outside ---------------------------------------------------------------------------------------
DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY", "not-a-secret: checks.py refuses to serve with this key")
WEB_PORT = env.port("WEB_PORT", 8000)
MEDIA_PORT = env.port("MEDIA_PORT", 8001)
WEBHOOK_BASE_URL = env.url("WEBHOOK_BASE_URL", f"http://127.0.0.1:{WEB_PORT}", schemes=("https", "http"))
MEDIA_BASE_URL = env.url("MEDIA_BASE_URL", f"ws://127.0.0.1:{MEDIA_PORT}", schemes=("wss", "ws"))
_hosts = {urlsplit(WEBHOOK_BASE_URL).hostname or "", urlsplit(MEDIA_BASE_URL).hostname or "", "127.0.0.1", "localhost", "[::1]"}
MEDIA_LISTEN_URL = env.url("MEDIA_LISTEN_URL", MEDIA_BASE_URL, schemes=("wss", "ws"))  # where browsers reach this very media process
REHEARSE_MEDIA_URL = env.url("REHEARSE_MEDIA_URL", MEDIA_BASE_URL, schemes=("wss", "ws"))  # where workers reach a media process
MEDIA_LISTEN_ORIGINS = env.words("MEDIA_LISTEN_ORIGINS")  # of further media processes, for the pages' policy
ALLOWED_HOSTS = sorted((_hosts | set(env.words("ALLOWED_HOSTS"))) - {""})
_origin = "{0.scheme}://{0.netloc}".format(urlsplit(WEBHOOK_BASE_URL))
CSRF_TRUSTED_ORIGINS = [_origin]
_https = WEBHOOK_BASE_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.boolean("TRUST_FORWARDED_PROTO", default=_https) else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
X_FRAME_OPTIONS = "DENY"

# --- applications ----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "channels",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "pgtrigger",
    "pghistory",
    "rest_framework",
    "voiceagents",
    "agents",
    "access",
    "calls",
    "telephony",
    "audit",
]
MIDDLEWARE = [
    "voiceagents.doors_first.doors_first",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # a long transcript is mostly markup; lengths are blurred against BREACH
    "voiceagents.admin_policy.AdminPolicyMiddleware",
    "voiceagents.powers.PowersMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "voiceagents.languages.LanguageMiddleware",
    "voiceagents.no_nul.NoNulMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "audit.middleware.WhoMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "voiceagents.urls"
ASGI_APPLICATION = "voiceagents.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "live"
LOGOUT_REDIRECT_URL = "login"

# --- Postgres: the truth ---------------------------------------------------------------------------------------------
DATABASE_POOL_SIZE = env.integer("DATABASE_POOL_SIZE", 10, low=2, high=200)
DATABASE_URL = env.url("DATABASE_URL", "postgresql://voiceagents@127.0.0.1:5432/voiceagents", schemes=("postgresql", "postgres"))


def _database(url: str) -> dict[str, object]:
    from urllib.parse import parse_qsl, unquote

    parts = urlsplit(url)
    options: dict[str, object] = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ImproperlyConfigured(f"DATABASE_URL={environment.redact(url)} names no database. End it with /<name>.")
    return {
        "ENGINE": "voiceagents.postgres",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        # Checked connections from a pool: a restarted Postgres costs one retry, not every later query.
        # The pool's own back-off doubles for five minutes: after an outage of one it would stay away for another, so it gives up early and
        # the next query starts it afresh.
        "OPTIONS": {
            "connect_timeout": 5,
            **options,
            "pool": {"min_size": 0, "max_size": DATABASE_POOL_SIZE, "timeout": 10, "reconnect_timeout": 3},
        },
        "TEST": {"NAME": f"test_{name}"},
    }


DATABASES = {"default": _database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Valkey / Redis: hints, cache, broker; never the only copy of anything ---------------------------------------------
REDIS_URL = env.url("REDIS_URL", "redis://127.0.0.1:6379/0", schemes=("redis", "rediss"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "va",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}
CHANNEL_LAYERS = {
    "default": {
        # Pub/sub: delivers everything to whoever listens now, an eighth of the core layer's CPU.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": "va"},
    }
}

# --- Celery: a nudge; the queue of record is calls.Job ------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 570
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,  # above the hard time limit, or a long task runs twice at once
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_keepalive": True,
    "socket_connect_timeout": 3,
    "socket_timeout": 30,
    "health_check_interval": 25,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "voiceagents.beat:SteadyScheduler"
# Strangers' endpoints hold up nobody else's work. The sweep stands in the same queue: without a worker there it nudges nobody.
CELERY_TASK_ROUTES = {
    f"calls.{name}": {"queue": "webhooks"} for name in ("deliver_webhook", "sweep_webhooks", "deliver_alert_mail", "sweep_alert_mails")
}
JOB_LEASE_S = env.integer("JOB_LEASE_S", 660, low=1, high=3600)
REHEARSE_BY_VOICE_AT_ONCE = env.integer("REHEARSE_BY_VOICE_AT_ONCE", 2, low=1, high=100)  # of all workers: each is held for minutes
JOB_SWEEP_S = env.integer("JOB_SWEEP_S", 15, low=1, high=300)
RECONCILE_S = env.integer("RECONCILE_S", 20, low=1, high=600)

# --- outside parties: addresses and keys, nothing else. Models and voices are rows. ----------------------------------------
EXOTEL_API_KEY = env.text("EXOTEL_API_KEY")
EXOTEL_API_TOKEN = env.text("EXOTEL_API_TOKEN")
EXOTEL_SID = env.text("EXOTEL_SID")
EXOTEL_SUBDOMAIN = env.text("EXOTEL_SUBDOMAIN", "api.exotel.com")
EXOTEL_BASE_URL = env.url("EXOTEL_BASE_URL", "", schemes=("https", "http"))
EXOTEL_WEBHOOK_SECRETS = env.words("EXOTEL_WEBHOOK_SECRETS")  # the first is given out, every one is accepted
EXOTEL_APP_ID = env.text("EXOTEL_APP_ID")  # the flow that outbound calls enter; empty: Connect Voice AI
EXOTEL_REQUESTS_PER_MINUTE = env.integer("EXOTEL_REQUESTS_PER_MINUTE", 200, low=10, high=100_000)  # of the account, all processes together
EXOTEL_RECORDING_HOSTS = env.words("EXOTEL_RECORDING_HOSTS")  # beside Exotel's own
MEDIA_CHUNK_BYTES = env.integer("MEDIA_CHUNK_BYTES", 3200, low=3200, high=100_000)
if MEDIA_CHUNK_BYTES % 320:
    raise environment.EnvironmentProblem(f"MEDIA_CHUNK_BYTES={MEDIA_CHUNK_BYTES} is not a multiple of 320, which Exotel's player needs.")
MEDIA_TOKEN_TTL_S = env.integer("MEDIA_TOKEN_TTL_S", 120, low=10, high=3600)
MEDIA_MAX_SESSIONS = env.integer("MEDIA_MAX_SESSIONS", 200, low=1, high=10_000)
MEDIA_MAX_LAG_MS = env.integer("MEDIA_MAX_LAG_MS", 200, low=10, high=5000)  # a loop that runs later than this takes no further call
MEDIA_DRAIN_S = env.integer("MEDIA_DRAIN_S", 20, low=1, high=7200)  # how long a stopping media process waits for its calls
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.url("OPENAI_BASE_URL", "https://api.openai.com/v1", schemes=("https", "http"))
DEEPGRAM_API_KEY = env.text("DEEPGRAM_API_KEY")
DEEPGRAM_BASE_URL = env.url("DEEPGRAM_BASE_URL", "https://api.deepgram.com", schemes=("https", "http"))
ELEVENLABS_API_KEY = env.text("ELEVENLABS_API_KEY")
ELEVENLABS_BASE_URL = env.url("ELEVENLABS_BASE_URL", "https://api.elevenlabs.io", schemes=("https", "http"))
TRANSCRIBE_MODEL = env.text("TRANSCRIBE_MODEL", "nova-3")
TOOL_ALLOWED_NETWORKS = env.networks("TOOL_ALLOWED_NETWORKS")  # private networks that operators' HTTP tools may reach; none by default
WEBHOOK_ALLOWED_NETWORKS = env.networks("WEBHOOK_ALLOWED_NETWORKS") or (
    ("127.0.0.0/8", "::1/128") if DEBUG else ()
)  # private ones that outgoing webhooks may reach
WEBHOOK_OFF_AFTER_DAYS = env.integer("WEBHOOK_OFF_AFTER_DAYS", 5, low=1, high=90)  # an endpoint that fails for so long is switched off
FIELD_KEYS = env.keys("FIELD_KEYS")  # id:64 hex digits, …: operators' secrets; the last encrypts, each decrypts
PREPARE_S = env.integer("PREPARE_S", 10, low=1, high=600)
ALERT_KEEP_DAYS = env.integer("ALERT_KEEP_DAYS", 365, low=8, high=3650)  # more than a week: the longest quiet time between two mails

# --- e-mail: alerts go out by it --------------------------------------------------------------------------------------------
EMAIL_HOST = env.text("EMAIL_HOST")  # empty: mails are kept and given up, saying so
EMAIL_PORT = env.port("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
_email_security = env.text("EMAIL_SECURITY", "starttls").lower()
if _email_security not in ("starttls", "tls", "none"):
    raise environment.EnvironmentProblem(
        f"EMAIL_SECURITY={_email_security} is not known. Write starttls (port 587), tls (port 465) or none."
    )
EMAIL_USE_TLS, EMAIL_USE_SSL = _email_security == "starttls", _email_security == "tls"
EMAIL_TIMEOUT = env.integer("EMAIL_TIMEOUT_S", 15, low=1, high=20)  # for each answer of the mail server
EMAIL_LANGUAGE = env.text("EMAIL_LANGUAGE", "en").lower()
if EMAIL_LANGUAGE not in ("en", "hi"):
    raise environment.EnvironmentProblem(f"EMAIL_LANGUAGE={EMAIL_LANGUAGE} is not known. Write en (English) or hi (Hindi).")
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", f"voiceagents@{urlsplit(WEBHOOK_BASE_URL).hostname or 'localhost'}")

# --- recordings ----------------------------------------------------------------------------------------------------------
AWS_ACCESS_KEY_ID = env.text("AWS_ACCESS_KEY_ID")
AWS_SECRET_ACCESS_KEY = env.text("AWS_SECRET_ACCESS_KEY")
AWS_S3_BUCKET = env.text("AWS_S3_BUCKET")
AWS_REGION = env.text("AWS_REGION", "us-east-1")
AWS_S3_ENDPOINT_URL = env.url("AWS_S3_ENDPOINT_URL", "", schemes=("https", "http"))
RECORDING_SPOOL_DIR = Path(env.text("RECORDING_SPOOL_DIR", str(LOCAL_DIR / "recordings")))
WEBHOOK_SPOOL_DIR = Path(env.text("WEBHOOK_SPOOL_DIR", str(RECORDING_SPOOL_DIR.parent / "webhooks")))  # deliveries while Postgres is away
WEBHOOK_SPOOL_MAX_BYTES = env.integer("WEBHOOK_SPOOL_MAX_BYTES", 256 * 1024 * 1024, low=65_536, high=2**33)
RECORDING_MAX_BYTES = env.integer("RECORDING_MAX_BYTES", 200 * 1024 * 1024, low=1024, high=2**31)
RECORDING_LINK_TTL_S = env.integer("RECORDING_LINK_TTL_S", 3600, low=60, high=604_800)
AWS_S3_PUBLIC_URL = env.url("AWS_S3_PUBLIC_URL", "", schemes=("https", "http"))  # where browsers reach the store, if elsewhere
RECORDING_STORE = StorageConfig(
    bucket=AWS_S3_BUCKET,
    access_key_id=AWS_ACCESS_KEY_ID,
    secret_access_key=AWS_SECRET_ACCESS_KEY,
    region=AWS_REGION,
    endpoint_url=AWS_S3_ENDPOINT_URL,
    public_endpoint_url=AWS_S3_PUBLIC_URL,
    kms_key_id=env.text("AWS_S3_KMS_KEY_ID"),
)
STORAGES = {
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {**storage_options(RECORDING_STORE), "querystring_expire": RECORDING_LINK_TTL_S},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(LOCAL_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG

# --- what a browser may load ------------------------------------------------------------------------------------------------
_listen_origins = sorted({"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in (MEDIA_BASE_URL, MEDIA_LISTEN_URL)})
_s3_url = AWS_S3_PUBLIC_URL or AWS_S3_ENDPOINT_URL
_s3_origin = "{0.scheme}://{0.netloc}".format(urlsplit(_s3_url)) if _s3_url else f"https://*.s3.{AWS_REGION}.amazonaws.com"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],  # the theme evaluates expressions: its policy is in admin_policy.py
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF, *_listen_origins, *MEDIA_LISTEN_ORIGINS],
        "media-src": [SELF, _s3_origin],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}

# --- API ----------------------------------------------------------------------------------------------------------------------
API_REQUESTS_PER_MINUTE = env.integer("API_REQUESTS_PER_MINUTE", 600, low=1, high=100_000)  # of a key, or a person without one
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "access.authentication.KeyAuthentication",  # first: without credentials the answer is 401 and names this way, not 403
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "access.permissions.KeyAllows",
        "access.permissions.AccountAllows",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["access.rates.PerKey"],
    "DEFAULT_FILTER_BACKENDS": ["agents.api_lists.StrictFilters"],
    "DEFAULT_PARSER_CLASSES": ["agents.api_fields.StrictJSON"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "voiceagents.problems.JSONAlways",
    "DEFAULT_SCHEMA_CLASS": "voiceagents.described.Description",
    "EXCEPTION_HANDLER": "voiceagents.problems.as_problem",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "voiceagents",
    "DESCRIPTION": "AI phone agents on Exotel's lines: agents, phones and calls. docs/api.md tells it with examples.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "SessionStateEnum": "calls.models.Session.State",
        "RecordingStateEnum": "calls.models.Recording.State",
        "DeliveryStateEnum": "calls.models.OutgoingDelivery.State",
        "JobStateEnum": "calls.models.Job.State",
        "ToolRunStateEnum": "calls.models.ToolRun.State",
        "RehearsalStateEnum": "calls.rehearsing.serializers.RUN_STATES",
        "RehearsalResultStateEnum": "calls.models.RehearsalResult.State",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "voiceagents.described.with_common_parts"],
}

# --- language, time, logs ---------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("hi", "हिन्दी")]
LOCALE_PATHS = [BASE_DIR / "voiceagents" / "locale"]  # one catalogue for every room: `make words`
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = _https
USE_I18N = True
FORMAT_MODULE_PATH = ["voiceagents.formats"]
USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "Asia/Kolkata")  # for display, and whose days prices count by; rows are UTC
BILLING_CURRENCY = env.text("BILLING_CURRENCY", "INR").upper()  # what totals are converted to, beside their own currencies
if not re.fullmatch("[A-Z]{3}", BILLING_CURRENCY):
    raise environment.EnvironmentProblem(f"BILLING_CURRENCY={BILLING_CURRENCY} is not a currency. Write three letters, as in INR.")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
LOG_FORMAT = env.text("LOG_FORMAT", "json")
LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()
LOGGING_CONFIG = None
logs.configure(level=LOG_LEVEL, as_json=LOG_FORMAT == "json")
UNFOLD = {
    "SITE_TITLE": "voiceagents",
    "SITE_HEADER": "voiceagents",
    "SITE_SUBHEADER": _("AI phone agents"),
    "SHOW_LANGUAGES": True,
    "SITE_URL": "/",
    "SITE_SYMBOL": "graphic_eq",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: f"/{STATIC_URL}favicon.svg"}],
    "STYLES": [lambda _request: static("css/admin.css")],
    # The dashboard's green (static/css/tokens.css), in the steps that the theme asks for.
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .015 165)",
            "100": "oklch(94% .035 165)",
            "200": "oklch(88% .065 165)",
            "300": "oklch(80% .095 165)",
            "400": "oklch(70% .115 165)",
            "500": "oklch(58% .115 165)",
            "600": "oklch(48% .1 165)",
            "700": "oklch(41% .085 165)",
            "800": "oklch(35% .07 165)",
            "900": "oklch(30% .055 165)",
            "950": "oklch(22% .04 165)",
        }
    },
}
