"""Chemistry: the only place where RDKit is imported; no torch."""
