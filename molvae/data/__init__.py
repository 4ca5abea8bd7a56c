"""Records to batches: tables, tokens, codecs, splits."""
