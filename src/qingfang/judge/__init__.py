"""Meaning + who, where, when + approvals + history → verdict. Rules are data; nothing here reads a
clock, a file or a socket."""
