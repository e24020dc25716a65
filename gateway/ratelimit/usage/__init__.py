"""How much each policy admits and refuses: the last ten minutes by the second, and the top keys."""
