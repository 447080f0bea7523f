"""Readers of live databases: the only part of discovery that does input and output."""
