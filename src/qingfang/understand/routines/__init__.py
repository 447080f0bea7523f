"""Stored routines and batches: a splitter of our own, and a bounded reading of what they do.

    text → words (`cut`) → statements (`tsql`, `blocks`) → `tree` → `interpret` → what is handed on

The parser reads single queries and expressions; blocks, branches, loops, cursors, dynamic SQL and
calls are read here.
"""
