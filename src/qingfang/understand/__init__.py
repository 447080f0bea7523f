"""Statement → meaning: what would the receiver of this SQL learn?

`analysis.Analyser` is the front door; `catalogue.load` reads what the hospital's tables mean.
Nothing here does input or output, knows the time, or starts a thread.
"""
