"""What the databases' tables mean: confirmed by a person on a page, and watched for changes.

Rules this folder keeps:

1. The catalogue file is the one that the engine reads, its review lies beside it; both are replaced
   in one step each, the review first: if the second fails, a doubt is gone that a new reading finds
   again, and never is a meaning in force that nobody confirmed.
2. Only the discipline office decides: a wrong role hides usage. Every decision is an act.
3. A page that was opened before somebody else decided decides nothing.
4. No value of the hospital's data is shown: names of tables and columns, comments and reasons are.
5. What the database has otherwise than the catalogue is an alert, once for each set of changes, and
   stays on the page until it is settled.
"""
