"""Wires the stages into processes; the only room that knows them all.

One file a process. `supervisor` starts them, restarts what dies, and takes them all down with it.
"""
