"""Settings, addresses, process of the console. No business rules."""
