"""The settings of `startproject` without those for databases and templates."""

import os
import secrets
from pathlib import Path

SECRET_KEY = secrets.token_urlsafe(32)
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "urls"
WSGI_APPLICATION = "wsgi.application"
TIME_ZONE = "UTC"
USE_TZ = True

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ["REDIS_URL"],
    }
}

JWT_PUBLIC_KEY = Path(os.environ["PUBLIC_KEY_FILE"]).read_text()
JWT_ISSUER, JWT_AUDIENCE = os.environ["ISSUER"], os.environ["AUDIENCE"]
RATE_LIMIT = os.environ["LIMIT_PER_MINUTE"] + "/m"
SERVICES = {
    name: os.environ[f"{name.upper()}_URL"]
    for name in ("users", "orders", "notifications", "recommendations")
}
