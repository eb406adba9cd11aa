"""Phrases of English captions, by rules."""
