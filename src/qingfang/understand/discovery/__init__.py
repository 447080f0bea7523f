"""Discovery: from a database's own schema to a proposal of what its tables mean.

`ddl` and `readers` bring the facts (`facts.Schema`), `propose` reads roles from them with `lexicon`,
`review` writes the doubts for a person and reads the answers back.

Rules this folder keeps:

1. Only `readers` does input and output.
2. Every proposed role carries a confidence (0–1) and a reason in Chinese.
3. What narrows (`usage_when`, `open_when`, operators) is proposed and never taken unasked: a wrong
   narrowing hides usage, a missing one only asks too often.
4. Sampled values decide, and are never written anywhere, codes of a proposed `usage_when` apart.
"""
