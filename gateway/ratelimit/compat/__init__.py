"""Rate limits for code written for other libraries."""
