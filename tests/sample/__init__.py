"""The application of the framework's tests: two services, a dashboard and a limit."""
