"""The only way in: the gateway between client and server, the tap beside them. Nothing is judged."""
