"""Words of a body, one after another: what the readers of all languages share.

Rules this module keeps:

1. Words keep their offsets in the text they were cut from.
2. What the parser refuses is None; a reader makes it an `Unread`, or a value that is not known.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from qingfang.understand import dialects
from qingfang.understand.routines.tree import Given, Span

STRINGS = frozenset(
    {
        *(TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING),
        *(TokenType.NATIONAL_STRING, TokenType.BYTE_STRING, TokenType.UNICODE_STRING),
    }
)
QUOTED = STRINGS | {TokenType.IDENTIFIER}
QUERY_VERBS = frozenset({"SELECT", "WITH", "VALUES", "("})
CHANGE_VERBS = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})
MAX_DEPTH = 60


class TooDeep(Exception):
    """Blocks nested deeper than is read."""


def bare(text: str) -> str:
    """A variable's name without its mark: `@s`, and the form `dialects` gives it."""
    name = text.lower().lstrip("@:").removeprefix(dialects.BIND)
    return name.split("_", 1)[-1] if name[:1].isdigit() and "_" in name else name


class Words:
    """Tokens with a place in them."""

    def __init__(self, tokens: list[Token], text: str, dialect: str) -> None:
        self.tokens, self.text, self.dialect = tokens, text, dialect
        self.at = 0
        self.parsed: list[exp.Expr] = []
        self.depth = 0

    # ------------------------------------------------------------ looking

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def word(self, ahead: int = 0) -> str:
        """The word there in upper case; "" for a quoted one, and past the end."""
        at = self.at + ahead
        if not 0 <= at < len(self.tokens) or self.tokens[at].token_type in QUOTED:
            return ""
        return self.tokens[at].text.upper()

    def is_(self, *words: str) -> bool:
        return all(self.word(n) == word for n, word in enumerate(words))

    def skip(self, *words: str) -> bool:
        """Past these words, if they stand here."""
        if not self.is_(*words):
            return False
        self.at += len(words)
        return True

    def span(self, start: int) -> Span:
        """From the token number `start` up to here."""
        end = min(self.at, len(self.tokens))
        if start >= end:
            return (0, 0)
        return (self.tokens[start].start, self.tokens[end - 1].end + 1)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeep

    # ------------------------------------------------------------ taking

    def name(self) -> str:
        """A name, qualified or not, in lower case; "" when none stands here."""
        parts: list[str] = []
        while not self.done:
            token = self.tokens[self.at]
            if token.text == "." or token.token_type in STRINGS or token.text in "(),;:=":
                break
            mark = ""
            if token.text == "#" and self.at + 1 < len(self.tokens):
                mark, self.at = "#", self.at + 1
                token = self.tokens[self.at]
            parts.append(mark + token.text.lower())
            self.at += 1
            if self.word() != ".":
                break
            while self.word() == ".":
                self.at += 1
        return ".".join(parts)

    def until(self, *words: str) -> list[Token]:
        """Tokens before one of the words outside parentheses and CASE; the word is left there."""
        start = self.at
        depth = cases = 0
        while not self.done:
            token = self.tokens[self.at]
            kind = token.token_type
            if kind is TokenType.L_PAREN:
                depth += 1
            elif kind is TokenType.R_PAREN:
                depth -= 1
                if depth < 0:
                    break
            elif not depth and kind not in QUOTED:
                word = token.text.upper()
                if not cases and word in words:
                    break
                if word == "CASE":
                    cases += 1
                elif word == "END" and cases:
                    cases -= 1
            self.at += 1
        return self.tokens[start : self.at]

    def parenthesis(self) -> list[Token]:
        """What stands in the parentheses that open here."""
        self.at += 1
        start = self.at
        depth = 1
        while not self.done:
            kind = self.tokens[self.at].token_type
            depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
            self.at += 1
            if not depth:
                return self.tokens[start : self.at - 1]
        return self.tokens[start:]

    # ------------------------------------------------------------ parsing

    def parse(self, tokens: list[Token]) -> exp.Expr | None:
        tree = dialects.parse(tokens, self.text, self.dialect) if tokens else None
        if tree is not None:
            self.parsed.append(tree)
        return tree

    def expression(self, tokens: list[Token]) -> exp.Select | None:
        """`SELECT tokens`; None when they are no expression."""
        if not tokens:
            return None
        tree = dialects.parse([select_word(tokens[0]), *tokens], self.text, self.dialect)
        if not isinstance(tree, exp.Select) or any(
            value for key, value in tree.args.items() if key not in {"expressions", "kind"}
        ):
            return None
        if not tree.expressions:  # words that begin with `;`
            return None
        for at, part in enumerate(tree.expressions):
            if isinstance(part, exp.Alias):  # two words side by side are no value
                return None if at == 0 else tree
        self.parsed.append(tree)
        return tree

    def value(self, tokens: list[Token]) -> exp.Select | None:
        """An expression; a query that was not read must not pass for an unknown value."""
        found = self.expression(tokens)
        if found is None and any(word(t) in {"SELECT", "EXEC", "EXECUTE"} for t in tokens):
            raise Unreadable
        return found

    def given(self, tokens: list[Token]) -> list[Given]:
        """The arguments of a call: by position, `name => value`, `name := value`."""
        found: list[Given] = []
        for item in items(tokens):
            named = len(item) > 1 and item[1].text in {"=>", ":="}
            rest = item[2:] if named else item
            name = bare(item[0].text) if named else ""
            found.append((name, self.value(rest), target_of(rest, self.dialect)))
        return found


class Unreadable(Exception):
    """A statement that holds a query nobody could read."""


def word(token: Token) -> str:
    return "" if token.token_type in QUOTED else token.text.upper()


def items(tokens: list[Token]) -> list[list[Token]]:
    """The parts of a list between its commas."""
    if not tokens:
        return []
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type is TokenType.COMMA and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return found


def target_of(tokens: list[Token], dialect: str) -> str:
    """The variable that these words name, "" when they are no variable: `v`, `r.f`, `@v`, `v(i)`,
    `:b`."""
    rest = list(tokens)
    marked = False
    mark = ""
    while rest and rest[0].text in {":", "@", "@@"} and rest[0].token_type not in QUOTED:
        mark = "@" if rest[0].text == "@" else mark
        marked = True
        rest = rest[1:]
    if not rest or rest[0].token_type in STRINGS or rest[0].token_type is TokenType.NUMBER:
        return ""
    name = rest[0].text.lower()
    if marked and name.startswith(dialects.BIND):
        name = bare(name) if dialect == "tsql" else ":" + name.removeprefix(dialects.BIND)
    elif marked and not mark and dialect == "oracle":
        name = ":" + name
    elif mark and dialect == "mysql":
        name = "@" + name
    at = 1
    while at + 1 < len(rest) and rest[at].text == ".":
        name = f"{name}.{rest[at + 1].text.lower()}"
        at += 2
    if at < len(rest) and rest[at].token_type not in {TokenType.L_PAREN, TokenType.L_BRACKET}:
        return ""
    return name if name[:1].isalpha() or name[:1] in {"_", "@", ":", "#", "$"} else ""


def targets_of(tokens: list[Token], dialect: str) -> list[str]:
    return [target_of(item, dialect) for item in items(tokens)]


def select_word(like: Token) -> Token:
    return Token(
        TokenType.SELECT,
        "SELECT",
        line=like.line,
        col=like.col,
        start=like.start,
        end=like.start,
        comments=[],
    )


def without_into(
    tokens: list[Token], dialect: str, ends: Collection[str]
) -> tuple[list[Token], list[Token] | None]:
    """`SELECT x [BULK COLLECT] INTO [STRICT] v, w FROM t` without its variables, and these."""
    depth = cases = 0
    for at, token in enumerate(tokens):
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth or kind in QUOTED:
            continue
        text = token.text.upper()
        if text == "CASE":
            cases += 1
        elif text == "END" and cases:
            cases -= 1
        elif (text == "INTO" or text.endswith(" INTO")) and not cases:
            start = at
            if at > 1 and word(tokens[at - 1]) == "COLLECT":
                start = at - 2
            end = at + 1
            if end < len(tokens) and word(tokens[end]) == "STRICT":
                end += 1
            first = end
            inner = 0
            while end < len(tokens):
                kind = tokens[end].token_type
                inner += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
                if not inner and word(tokens[end]) in ends:
                    break
                end += 1
            return tokens[:start] + tokens[end:], tokens[first:end]
    return tokens, None
