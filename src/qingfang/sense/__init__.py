"""The only way in: bytes from connections (`gateway`) and from packets (`tap`). Judges nothing."""
