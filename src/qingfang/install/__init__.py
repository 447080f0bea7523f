"""The first-run guide in the terminal: from nothing to a configuration that observes.

`guide` asks in order and calls the rest: `target` tries the database, `catalogue` reads what its
tables mean, `settings` writes `qingfang.toml`, `notices` sends the test notice, `console` speaks to
the process that fills the console's database (`web.setup.fill`).

Rules this folder keeps:

1. Every question has an option, so that the whole can be scripted; nothing is asked with `--yes`.
2. What is there is kept: a second run goes on after the last step that was finished. A
   configuration is replaced only when the person says so.
3. A database password is used and not kept: it stands in no file and no output of ours.
4. No route enforces after this: that is the discipline office's act.
"""
