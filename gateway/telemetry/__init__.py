"""What is seen of a request from outside: its id, its log line, its timings."""
