"""Real systems through the gateway: a hospital system, and the drivers' own test suites.

Run by `make real`, not by `make test`: it installs GNU Health and runs for minutes. See docs/real.md.
"""
