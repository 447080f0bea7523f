"""Alerts as people judge them: list, page, verification notes, dispositions, coverage."""
