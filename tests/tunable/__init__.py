"""The application of tests about limits that operators tune: two pages, each with a limit."""
