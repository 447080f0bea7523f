"""Bytes on the wire → statements and what became of them. One folder a protocol; no input/output."""
