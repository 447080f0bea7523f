"""The ledger: append-only evidence that one process writes and everybody may check.

From the bytes up: `frame` (one record or block of records on disk), `chain` (what binds frames to
each other), `entries` and `codec` (what the frames say), `disk` (the few file operations, so that
tests can cut the power), `segments` (files of frames: reading, recovery), `writer` (appending,
rolling, a full disk), `service` and `client` (the same over a local socket), `verify` (offline).

Rules this package keeps:

1. Acknowledged means synced: nothing that a caller was told is stored can be lost by a crash.
2. What could not be stored is counted, and the count is itself a record.
3. Nobody but the writer opens a segment for writing; nobody at all rewrites one.
4. The ledger does not know SQL: it stores what it is handed.
"""
