"""Persons and terminals from a table that somebody else keeps: HR's workbook, IT's list of machines.

Rules this folder keeps:

1. Nothing is written before somebody has seen what would change; what is wrong is said by line and
   column, is left out, and never stops the rest.
2. Every line goes the way of a change made by hand (`people.changes`): what a right rests on waits
   for the discipline office, and every line is an act.
3. An empty cell changes nothing; `-` empties a field. Columns that we do not know are not kept.
4. Nobody gets a password or a role here, and no department or post is made: what kind a department
   is decides over roles.
5. Writing again what was written changes nothing, so that a stopped import is simply begun again.
6. A workbook is opened in a process of its own with little memory and time (`sheet`).
"""
