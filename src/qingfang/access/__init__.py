"""Grants: applied for, approved, filed, and handed down to the engine as a signed snapshot."""
