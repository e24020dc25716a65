"""The one route."""

from django.urls import path
from views import dashboard

urlpatterns = [path("dashboard/<int:user_id>", dashboard)]
