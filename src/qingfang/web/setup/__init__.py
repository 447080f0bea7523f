"""The first run in the browser, the first accounts, and what is still missing afterwards.

Rules this folder keeps:

1. While nobody can sign in, the console shows nothing but the first-run page, and that only to
   whoever types the code that stands on the terminal of the machine.
2. The first accounts are made once, together, the security administrator among them. After that
   this way is closed for good, whatever the code.
3. What belongs to the machine's owner (configuration, catalogue files) is shown, never changed here.
"""
