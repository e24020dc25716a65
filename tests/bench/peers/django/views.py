"""The dashboard as a Django team usually writes it: a synchronous view, requests, PyJWT."""

from functools import wraps

import jwt
import requests
from django.conf import settings
from django.http import JsonResponse
from django.views.decorators.http import require_GET
from django_ratelimit.decorators import ratelimit

session = requests.Session()


def authenticated(view):
    @wraps(view)
    def verified(request, *args, **kwargs):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            request.claims = jwt.decode(
                token,
                settings.JWT_PUBLIC_KEY,
                algorithms=["RS256"],
                audience=settings.JWT_AUDIENCE,
                issuer=settings.JWT_ISSUER,
            )
        except jwt.InvalidTokenError:
            return JsonResponse({"detail": "The token is not valid"}, status=401)
        return view(request, *args, **kwargs)

    return verified


def caller(group, request):
    return request.claims["sub"]


def fetch(service, path, **params):
    response = session.get(settings.SERVICES[service] + path, params=params, timeout=10)
    response.raise_for_status()
    return response.json()


@require_GET
@authenticated
@ratelimit(key=caller, rate=settings.RATE_LIMIT, block=True)
def dashboard(request, user_id):
    if "dashboard:read" not in request.claims["scope"].split():
        return JsonResponse({"detail": "The scope is missing"}, status=403)
    if request.claims["sub"] != str(user_id):
        return JsonResponse({"detail": "Not your dashboard"}, status=403)
    return JsonResponse(
        {
            "profile": fetch("users", f"/users/{user_id}"),
            "orders": fetch("orders", "/orders", user_id=user_id, limit=10),
            "notifications": fetch("notifications", "/notifications/unread", user_id=user_id),
            "recommendations": fetch("recommendations", f"/recommendations/{user_id}"),
            "degraded": [],
        }
    )
