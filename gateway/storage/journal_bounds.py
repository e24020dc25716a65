"""The bound of the texts in the journal, for those who write them; this module imports nothing."""

MAX_TEXT_LENGTH = 1_000
"""In characters: the author, the reason, the subject."""
