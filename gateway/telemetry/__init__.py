"""Telemetry: structured log events."""
