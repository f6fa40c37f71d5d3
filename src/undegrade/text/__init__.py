"""Instructions in words: what a sentence asks to repair, and to leave alone."""
