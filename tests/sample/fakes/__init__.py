"""Fakes of the services of the sample application."""
