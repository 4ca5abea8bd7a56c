"""The command line: a file per noun, thin verbs, no logic."""
