"""Clauses the parser refuses → the same statement in words that it takes.

    repaired(tokens, "tsql") -> tokens with `a *= b`, COMPUTE … written otherwise, or None

Rules this module keeps:

1. Only a statement that the parser refused is rewritten, and a change of T-SQL's that it would
   take for another (`plain_change`). One that no rule here knows stays unparsed.
2. What a clause can show stays: as an output, a join or a predicate. What is dropped decides
   which version of the rows comes, how they are read, or in what form the answer is.
3. Words that are put in stand where the words stood that they replace.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokenizer_core import Token, TokenType

Tokens = list[Token]
Rule = Callable[[Tokens], Tokens]

_TEXTS = frozenset(
    {TokenType.STRING, TokenType.IDENTIFIER, TokenType.NATIONAL_STRING, TokenType.RAW_STRING}
)


def repaired(tokens: Tokens, dialect: str) -> Tokens | None:
    """The statement in words the parser takes; None when no rule applies."""
    out = tokens
    for rule in _RULES.get(dialect, ()):
        out = rule(out)
    return out if out is not tokens else None


_CHANGES = frozenset({"DELETE", "UPDATE", "INSERT", "MERGE"})


def plain_change(tokens: Tokens) -> Tokens:
    """T-SQL's `DELETE TOP (n) FROM t OUTPUT …`: as `DELETE t OUTPUT …`, the only form the parser
    takes. Which n rows are changed is the server's choice, so they may be any. A number that is asked
    of a table stays, and is not read."""
    words, depths = _words(tokens), _depths(tokens)
    at = next((n for n, w in enumerate(words) if w in _CHANGES and not depths[n]), None)
    if at is None or (at and words[0] != "WITH"):
        return tokens
    end = at + 1
    if words[end : end + 2] == ["TOP", "("]:
        close = _closing(tokens, end + 1)
        if "SELECT" in words[end:close]:
            return tokens
        end = close + 1
        if words[end : end + 1] == ["PERCENT"]:
            end += 1
    if words[at] == "DELETE" and "OUTPUT" in words and words[end : end + 1] == ["FROM"]:
        end += 1
    return [*tokens[: at + 1], *tokens[end:]] if end > at + 1 else tokens


def oracle_mode(tokens: Tokens) -> Tokens | None:
    """A statement for PostgreSQL's kin in Oracle's way (openGauss, Kingbase): `(+)` and MINUS as
    the Oracle parser wants them; None when it has neither."""
    words = _words(tokens)
    out: Tokens = []
    at = 0
    while at < len(tokens):
        if words[at : at + 3] == ["(", "+", ")"]:
            out.append(_word(TokenType.JOIN_MARKER, "(+)", tokens[at], tokens[at + 2]))
            at += 3
            continue
        if words[at] == "MINUS":
            out.append(_word(TokenType.EXCEPT, "MINUS", tokens[at]))
        else:
            out.append(tokens[at])
        at += 1
    changed = any(t.token_type in {TokenType.JOIN_MARKER, TokenType.EXCEPT} for t in out)
    return out if changed else None


def _words(tokens: Tokens) -> list[str]:
    """The keywords; a quoted name or a text is none."""
    return ["" if t.token_type in _TEXTS else t.text.upper() for t in tokens]


def _word(kind: TokenType, text: str, first: Token, last: Token | None = None) -> Token:
    end = (last or first).end
    return Token(kind, text, line=first.line, col=first.col, start=first.start, end=end)


def _closing(tokens: Tokens, opening: int) -> int:
    """The index of the parenthesis that closes the one at `opening`; the last index if none."""
    depth = 0
    for at in range(opening, len(tokens)):
        kind = tokens[at].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if not depth:
            return at
    return len(tokens) - 1


def _depths(tokens: Tokens) -> list[int]:
    """How many parentheses each token stands in; a parenthesis counts as outside itself."""
    depth = 0
    found: list[int] = []
    for token in tokens:
        if token.token_type is TokenType.R_PAREN:
            depth -= 1
        found.append(depth)
        if token.token_type is TokenType.L_PAREN:
            depth += 1
    return found


def _items(tokens: Tokens) -> list[Tokens]:
    """The parts of a list, told apart by its own commas."""
    parts: list[Tokens] = [[]]
    for token, depth in zip(tokens, _depths(tokens), strict=True):
        if token.token_type is TokenType.COMMA and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _listed(parts: list[Tokens], like: Token) -> Tokens:
    out: Tokens = []
    for part in parts:
        if out:
            out.append(_word(TokenType.COMMA, ",", like))
        out.extend(part)
    return out


# ------------------------------------------------------------------ Oracle


def _pivot_xml(tokens: Tokens) -> Tokens:
    """`PIVOT XML (… IN (ANY))`: rows in one XML value, of whatever headings there are."""
    words = _words(tokens)
    at = next((n for n in range(len(words) - 1) if words[n : n + 2] == ["PIVOT", "XML"]), None)
    if at is None:
        return tokens
    out = [*tokens[: at + 1], *tokens[at + 2 :]]
    for n in range(at, len(out) - 2):
        if [t.text.upper() for t in out[n : n + 3]] == ["IN", "(", "ANY"]:
            out[n + 2] = _word(TokenType.STRING, "ANY", out[n + 2])
    return out


_MODEL_STARTS = frozenset(
    {
        "PARTITION",
        "PARTITION BY",
        "DIMENSION",
        "IGNORE",
        "KEEP",
        "UNIQUE",
        "RETURN",
        "MAIN",
        "REFERENCE",
    }
)


def _model(tokens: Tokens) -> Tokens:
    """`SELECT x, q FROM … MODEL DIMENSION BY (a x) MEASURES (b q) RULES (…)`: a query over the
    dimensions and measures; the rules work on these cells alone. Reference models and rules with
    a query of their own stay unread."""
    words, depths = _words(tokens), _depths(tokens)
    at = next(
        (n for n in range(len(words) - 1) if words[n] == "MODEL" and words[n + 1] in _MODEL_STARTS),
        None,
    )
    if at is None:
        return tokens
    level = depths[at]
    start = max((n for n in range(at) if words[n] == "SELECT" and depths[n] == level), default=None)
    if start is None:
        return tokens
    origin = next((n for n in range(start, at) if words[n] == "FROM" and depths[n] == level), None)
    cells: list[Tokens] = []
    end = None
    n = at + 1
    while n < len(tokens) and depths[n] >= level:
        if words[n] == "(" and depths[n] == level:
            close = _closing(tokens, n)
            before = words[n - 1]
            if before in {"BY", "PARTITION BY", "MEASURES"}:
                cells.append(tokens[n + 1 : close])
            elif before not in {"ITERATE", "UNTIL"}:
                end = close + 1
                break
            n = close
        n += 1
    if origin is None or end is None or not cells:
        return tokens
    if {"SELECT", "REFERENCE"} & set(words[at:end]):
        return tokens
    like = tokens[at]
    inner = [
        _word(TokenType.L_PAREN, "(", like),
        _word(TokenType.SELECT, "SELECT", like),
        *_listed(cells, like),
        *tokens[origin:at],
        _word(TokenType.R_PAREN, ")", like),
    ]
    return [*tokens[: origin + 1], *inner, *tokens[end:]]


def _versions(tokens: Tokens) -> Tokens:
    """`t VERSIONS BETWEEN SCN a AND b`: rows of several times, but of the same table."""
    words = _words(tokens)
    at = next(
        (n for n in range(len(words) - 1) if words[n : n + 2] == ["VERSIONS", "BETWEEN"]), None
    )
    if at is None or "AND" not in words[at:]:
        return tokens
    end = _operand(tokens, words.index("AND", at) + 1)
    return [*tokens[:at], *tokens[end:]]


_SIGNS = frozenset({TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH})


_UNITS = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"})


def _operand(tokens: Tokens, at: int) -> int:
    """The end of an expression of literals, calls and `+`, `-` that begins here."""
    words = _words(tokens)
    while at < len(tokens):
        if words[at] == "INTERVAL":
            at += 3 if words[at + 2 : at + 3] and words[at + 2] in _UNITS else 2
        elif words[at] in {"TIMESTAMP", "DATE"} and at + 1 < len(tokens):
            at += 2
        else:
            at += 1
        if at < len(tokens) and tokens[at].token_type is TokenType.L_PAREN:
            at = _closing(tokens, at) + 1
        if at >= len(tokens) or tokens[at].token_type not in _SIGNS:
            return at
        at += 1
    return at


def _insert_all(tokens: Tokens) -> Tokens:
    """`INSERT ALL WHEN … THEN INTO t VALUES (…) … SELECT …`: what goes into any of the tables, and
    the conditions that divide it, as an INSERT of one table."""
    words, depths = _words(tokens), _depths(tokens)
    if words[0] != "INSERT" or words[1:2] not in (["ALL"], ["FIRST"]):
        return tokens
    outside = [n for n, depth in enumerate(depths) if not depth]
    query = next((n for n in outside if words[n] in {"SELECT", "WITH"}), None)
    first = next((n for n in outside if words[n] == "INTO"), None)
    if query is None or first is None:
        return tokens
    heads = {"VALUES", "INTO", "WHEN", "ELSE", "SELECT", "WITH"}
    outputs: list[Tokens] = []
    like = tokens[query]
    for i, n in enumerate(outside):
        if n >= query:
            break
        following = (outside[j] for j in range(i + 1, len(outside)))
        if words[n] == "INTO":
            after = next(m for m in following if words[m] in heads)
            if words[after] != "VALUES":
                outputs.append([_word(TokenType.STAR, "*", like)])
        elif words[n] == "VALUES":
            outputs.append(tokens[n + 2 : _closing(tokens, n + 1)])
        elif words[n] == "WHEN":
            then = next((m for m in following if words[m] == "THEN"), None)
            if then is None:
                return tokens
            outputs.append(_tested(tokens[n + 1 : then], tokens[n]))
    end = next(m for m in outside if m > first and words[m] in heads)
    return [
        tokens[0],
        *tokens[first:end],
        _word(TokenType.SELECT, "SELECT", like),
        *_listed(outputs, like),
        _word(TokenType.FROM, "FROM", like),
        _word(TokenType.L_PAREN, "(", like),
        *tokens[query:],
        _word(TokenType.R_PAREN, ")", tokens[-1]),
    ]


def _tested(condition: Tokens, like: Token) -> Tokens:
    """`CASE WHEN condition THEN 1 END`."""
    return [
        _word(TokenType.CASE, "CASE", like),
        _word(TokenType.WHEN, "WHEN", like),
        *condition,
        _word(TokenType.THEN, "THEN", like),
        _word(TokenType.NUMBER, "1", like),
        _word(TokenType.END, "END", like),
    ]


def _search_and_cycle(tokens: Tokens) -> Tokens:
    """`WITH t AS (…) SEARCH DEPTH FIRST BY x, y SET s CYCLE x SET c TO 'Y' DEFAULT 'N', u AS (…)`: the
    clauses behind the last query, of one column each, as the parser wants them. What they add is made
    of the query's columns, whichever are named."""
    words, depths = _words(tokens), _depths(tokens)
    out: Tokens = []
    moved: dict[str, Tokens] = {}
    at, level, behind = 0, -1, False
    while at < len(tokens):
        behind = behind or (
            at > 0 and words[at - 1] == ")" and depths[at] in {level, depths[at - 1]}
        )
        clause = behind and words[at] in {"SEARCH", "CYCLE"} and words[at] not in moved
        if not clause or (level >= 0 and depths[at] != level):
            if moved and behind and depths[at] == level and words[at] != ",":
                # The main query begins.
                out.extend([*moved.pop("SEARCH", []), *moved.pop("CYCLE", [])])
            out.append(tokens[at])
            at, behind = at + 1, False
            continue
        level = depths[at]
        first = at + 4 if words[at] == "SEARCH" else at + 1
        end = next((n for n in range(at, len(words)) if words[n] == "SET"), len(words)) + 2
        given = tokens[end - 2 : end]
        while words[end : end + 1] and words[end] in {"TO", "DEFAULT", "USING"}:
            given = [*given, *tokens[end : end + 2]]
            end += 2
        moved[words[at]] = [*tokens[at:first], *tokens[first : first + 1], *given]
        at, behind = end, True
    return out if level >= 0 and not moved else tokens


def _xml_serialize(tokens: Tokens) -> Tokens:
    """`XMLSERIALIZE(CONTENT x AS text)`: x, written as a text."""
    words = _words(tokens)
    out = tokens
    for at in range(len(words) - 3, -1, -1):
        if words[at] != "XMLSERIALIZE" or words[at + 2] not in {"CONTENT", "DOCUMENT"}:
            continue
        close = _closing(out, at + 1)
        depths = _depths(out)
        end = max(
            (
                n
                for n in range(at, close)
                if out[n].text.upper() == "AS" and depths[n] == depths[at] + 1
            ),
            default=close,
        )
        out = [*out[: at + 2], *out[at + 3 : end], *out[close:]]
    return out


def _json_object(tokens: Tokens) -> Tokens:
    """`JSON_OBJECT(KEY 'a' IS x, y)`: every member as `'a' VALUE x`."""
    out = tokens
    for at in range(len(tokens) - 2, -1, -1):
        if tokens[at].text.upper() not in {"JSON_OBJECT", "JSON_OBJECTAGG"}:
            continue
        if out[at + 1].token_type is not TokenType.L_PAREN:
            continue
        close = _closing(out, at + 1)
        members = [_member(part) for part in _items(out[at + 2 : close]) if part]
        out = [*out[: at + 2], *_listed(members, out[at]), *out[close:]]
    return out


def _member(part: Tokens) -> Tokens:
    words, depths = _words(part), _depths(part)
    if words[0] == "KEY" and len(part) > 3:
        part, words, depths = part[1:], words[1:], depths[1:]
    told = next(
        (
            n
            for n, word in enumerate(words)
            if word in {"VALUE", "IS", ":", ","} and not depths[n] and n
        ),
        None,
    )
    if told is None and words[0] not in {"*", ""} and part[0].token_type is TokenType.VAR:
        name = part[-1]
        return [
            _word(TokenType.STRING, name.text, name),
            _word(TokenType.VAR, "VALUE", name),
            *part,
        ]
    if told is not None and words[told] == "IS":
        return [*part[:told], _word(TokenType.VAR, "VALUE", part[told]), *part[told + 1 :]]
    return part


def _current_of(tokens: Tokens) -> Tokens:
    """`WHERE CURRENT OF c`: one row, of those that the cursor went through."""
    words = _words(tokens)
    for at in range(len(words) - 2):
        if words[at : at + 3] == ["WHERE", "CURRENT", "OF"]:
            return [*tokens[:at], *tokens[at + 4 :]]
    return tokens


# ------------------------------------------------------------------ T-SQL


def _compound(tokens: Tokens) -> Tokens:
    """`UPDATE t SET x += y` sets x to something made of y."""
    words = _words(tokens)
    if words[0] != "UPDATE":
        return tokens
    out: Tokens = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        sign = token.token_type in _SIGNS or token.token_type is TokenType.MOD
        if sign and after is not None and after.token_type is TokenType.EQ:
            continue
        out.append(token)
    return out if len(out) < len(tokens) else tokens


def _outer_joins(tokens: Tokens) -> Tokens:
    """`a.x *= b.x` keeps the rows of a, `a.x =* b.x` those of b. Written `a.x <=> b.x`, which
    T-SQL does not have, with the side that loses on the right. Nothing where something is set:
    there `*=` multiplies."""
    words = _words(tokens)
    if {"UPDATE", "SET", "MERGE"} & set(words):
        return tokens
    out: Tokens = []
    at = 0
    changed = False
    while at < len(tokens):
        pair = tokens[at : at + 2]
        kinds = [token.token_type for token in pair]
        touching = len(pair) == 2 and pair[1].start == pair[0].end + 1
        if touching and kinds == [TokenType.STAR, TokenType.EQ]:
            out.append(_word(TokenType.NULLSAFE_EQ, "*=", *pair))
            at, changed = at + 2, True
        elif touching and kinds == [TokenType.EQ, TokenType.STAR]:
            start, end = _name_before(out), _name_after(tokens, at + 2)
            left = out[start:]
            out[start:] = tokens[at + 2 : end]
            out.append(_word(TokenType.NULLSAFE_EQ, "=*", *pair))
            out.extend(left)
            at, changed = end, True
        else:
            out.append(tokens[at])
            at += 1
    return out if changed else tokens


def _name_before(tokens: Tokens) -> int:
    at = len(tokens) - 1
    while at > 1 and tokens[at - 1].token_type is TokenType.DOT:
        at -= 2
    return max(at, 0)


def _name_after(tokens: Tokens, at: int) -> int:
    at += 1
    while at + 1 < len(tokens) and tokens[at].token_type is TokenType.DOT:
        at += 2
    return min(at, len(tokens))


def _compute(tokens: Tokens) -> Tokens:
    """`… COMPUTE SUM(x) BY y`: result sets of sums between the rows, as window sums beside them."""
    words, depths = _words(tokens), _depths(tokens)
    marks = [n for n, word in enumerate(words) if word == "COMPUTE" and not depths[n]]
    origin = next((n for n, word in enumerate(words) if word == "FROM" and not depths[n]), None)
    if not marks or origin is None:
        return tokens
    outputs: list[Tokens] = []
    for mark, end in zip(marks, [*marks[1:], len(tokens)], strict=True):
        by = next((n for n in range(mark, end) if words[n] == "BY" and not depths[n]), end)
        like = tokens[mark]
        over = [_word(TokenType.OVER, "OVER", like), _word(TokenType.L_PAREN, "(", like)]
        if by < end:
            over.append(_word(TokenType.PARTITION_BY, "PARTITION BY", tokens[by]))
            over.extend(tokens[by + 1 : end])
        over.append(_word(TokenType.R_PAREN, ")", like))
        outputs.extend([*part, *over] for part in _items(tokens[mark + 1 : by]))
    comma = _word(TokenType.COMMA, ",", tokens[origin])
    return [
        *tokens[:origin],
        comma,
        *_listed(outputs, comma),
        *tokens[origin : marks[0]],
    ]


def _output_into(tokens: Tokens) -> Tokens:
    """`OUTPUT deleted.x, deleted.y INTO dbo.t (x, y)`: into t."""
    words, depths = _words(tokens), _depths(tokens)
    output = next((n for n, w in enumerate(words) if w == "OUTPUT" and not depths[n]), len(words))
    for at in range(output, len(words) - 1):
        if words[at] == "INTO" and not depths[at]:
            end = _name_after(tokens, at + 1)
            rest = _closing(tokens, end) + 1 if words[end : end + 1] == ["("] else end
            if rest > at + 2:
                return [*tokens[: at + 1], tokens[end - 1], *tokens[rest:]]
    return tokens


# ------------------------------------------------------------------ MySQL, SQLite


_MODIFIERS = frozenset(
    {
        *("SQL_BUFFER_RESULT", "SQL_BIG_RESULT", "SQL_SMALL_RESULT", "SQL_CACHE", "SQL_NO_CACHE"),
        *("SQL_CALC_FOUND_ROWS", "HIGH_PRIORITY", "STRAIGHT_JOIN"),
    }
)


def _modifiers(tokens: Tokens) -> Tokens:
    """`SELECT SQL_BIG_RESULT DISTINCTROW x`: how to work, and DISTINCT by its other name."""
    out: Tokens = []
    changed = heading = False
    for token in tokens:
        word = token.text.upper() if token.token_type not in _TEXTS else ""
        if heading and word in _MODIFIERS:
            changed = True
            continue
        if heading and word == "DISTINCTROW":
            out.append(_word(TokenType.DISTINCT, "DISTINCT", token))
            changed = True
            continue
        heading = word == "SELECT" or (heading and word in {"ALL", "DISTINCT"})
        out.append(token)
    return out if changed else tokens


def _analyse(tokens: Tokens) -> Tokens:
    """`SELECT … PROCEDURE ANALYSE()`: figures about the rows, which the rows themselves give."""
    words = _words(tokens)
    for at in range(len(words) - 2):
        if words[at] == "PROCEDURE" and words[at + 1] in {"ANALYSE", "ANALYZE"}:
            close = _closing(tokens, at + 2)
            if "SELECT" in words[at:close]:
                return tokens  # what is asked there comes back in the error
            return [*tokens[:at], *tokens[close + 1 :]]
    return tokens


def _replace(tokens: Tokens) -> Tokens:
    """`REPLACE INTO t …` writes what `INSERT INTO t …` writes."""
    words = _words(tokens)
    if words[0] != "REPLACE":
        return tokens
    at = 1
    while at < len(words) and words[at] in {"LOW_PRIORITY", "DELAYED"}:
        at += 1
    into = [] if words[at : at + 1] == ["INTO"] else [_word(TokenType.INTO, "INTO", tokens[0])]
    return [_word(TokenType.INSERT, "INSERT", tokens[0]), *into, *tokens[at:]]


def _on_empty(tokens: Tokens) -> Tokens:
    """JSON_TABLE's `DEFAULT x ON EMPTY`, `NULL ON ERROR`: a constant in place of what is missing."""
    words = _words(tokens)
    if "JSON_TABLE" not in words:
        return tokens
    out = list(tokens)
    for at in range(len(words) - 2, 0, -1):
        if words[at] == "ON" and words[at + 1] in {"EMPTY", "ERROR"}:
            start = at - 2 if words[at - 2] == "DEFAULT" else at - 1
            del out[start : at + 2]
    return out if len(out) < len(tokens) else tokens


# ------------------------------------------------------------------ several


_ESCAPES = frozenset({"OJ", "FN", "D", "T", "TS"})


def _odbc(tokens: Tokens) -> Tokens:
    """ODBC's `{oj t LEFT JOIN u ON …}`, `{fn f(x)}`, `{d '…'}`, without the braces."""
    out: Tokens = []
    opened = 0
    at = 0
    while at < len(tokens):
        kind = tokens[at].token_type
        if kind is TokenType.L_BRACE and at + 1 < len(tokens):
            if tokens[at + 1].text.upper() not in _ESCAPES:
                return tokens
            opened, at = opened + 1, at + 2
            continue
        if not (kind is TokenType.R_BRACE and opened):
            out.append(tokens[at])
        at += 1
    return out if opened else tokens


def _value_rows(tokens: Tokens) -> Tokens:
    """`(VALUES (1, 2), (3, 4))` as a query of these rows."""
    words = _words(tokens)
    out: Tokens = []
    at = 0
    while at < len(tokens):
        out.append(tokens[at])
        if words[at] == "(" and words[at + 1 : at + 2] == ["VALUES"]:
            close = _closing(tokens, at)
            rows = _items(tokens[at + 2 : close])
            like = tokens[at + 1]
            for number, row in enumerate(rows):
                cells = row[1:] if _words(row)[:1] == ["ROW"] else row
                if number:
                    out.append(_word(TokenType.UNION, "UNION", like))
                    out.append(_word(TokenType.ALL, "ALL", like))
                out.append(_word(TokenType.SELECT, "SELECT", like))
                out.extend(cells[1:-1])
            at = close
            continue
        at += 1
    return out if len(out) != len(tokens) else tokens


def _returning_into(tokens: Tokens) -> Tokens:
    """`… RETURNING x, y INTO :1, :2`: rows that come back in bound values."""
    words, depths = _words(tokens), _depths(tokens)
    back = next((n for n, w in enumerate(words) if w in {"RETURNING", "RETURN"} and n), None)
    if back is None:
        return tokens
    for at in range(len(words) - 1, back, -1):
        if words[at].endswith("INTO") and not depths[at]:
            end = at - 2 if words[at - 1] == "COLLECT" else at
            like = tokens[back]
            return [
                *tokens[:back],
                _word(TokenType.RETURNING, "RETURNING", like),
                *tokens[back + 1 : end],
            ]
    return tokens


def _index(tokens: Tokens) -> Tokens:
    """`CREATE BITMAP INDEX i ON t (x) LOCAL NOLOGGING …` as `CREATE INDEX i ON t (x)`, WHERE included:
    how an index is kept says nothing of rows. One over a join stays unread."""
    words = _words(tokens)
    if words[0] != "CREATE" or "INDEX" not in words[1:6] or {"FROM", "SELECT"} & set(words):
        return tokens
    at = words.index("INDEX")
    on = next((n for n in range(at, len(words)) if words[n] == "ON"), None)
    if on is None:
        return tokens
    end = _name_after(tokens, on + 1 + (words[on + 1 : on + 2] == ["ONLY"]))
    keys = next((n for n in range(end, len(words)) if words[n] == "("), len(words))
    rest: Tokens = []
    if keys - end <= _KEYS_AWAY and words[keys - 1] not in {"WITH", "ORDER", "PARAMETERS"}:
        close = _closing(tokens, keys)
        where = words.index("WHERE", close) if "WHERE" in words[close:] else len(words)
        stops = (n for n in range(where, len(words)) if words[n] in {"WITH", "ON"})
        rest = [*tokens[keys : close + 1], *tokens[where : next(stops, len(words))]]
    unique = [token for token in tokens[1:at] if token.token_type is TokenType.UNIQUE]
    name = tokens[on - 1 : on] if on > at + 1 else []
    return [tokens[0], *unique, tokens[at], *name, *tokens[on:end], *rest]


# `ON t USING btree (…)`, `ON t alias (…)`
_KEYS_AWAY = 2


def _versions_of_rows(tokens: Tokens) -> Tokens:
    """openGauss's and Kingbase's `t PARTITION (p)`, `t TIMECAPSULE TIMESTAMP x`, `t AS OF …`: rows
    of the same table."""
    words = _words(tokens)
    out: Tokens = []
    at = 0
    while at < len(tokens):
        if at and words[at] in {"PARTITION", "SUBPARTITION"}:
            opening = at + 2 if words[at + 1 : at + 2] == ["FOR"] else at + 1
            if words[opening : opening + 1] == ["("]:
                at = _closing(tokens, opening) + 1
                continue
        if words[at] == "TIMECAPSULE" and words[at + 1 : at + 2] in (["TIMESTAMP"], ["CSN"]):
            at = _operand(tokens, at + 2)
            continue
        if words[at : at + 2] == ["AS", "OF"] and words[at + 2 : at + 3] in (
            ["TIMESTAMP"],
            ["SCN"],
            ["CSN"],
        ):
            at = _operand(tokens, at + 3)
            continue
        out.append(tokens[at])
        at += 1
    return out if len(out) < len(tokens) else tokens


_RULES: dict[str, tuple[Rule, ...]] = {
    "oracle": (
        _index,
        _search_and_cycle,
        _pivot_xml,
        _model,
        _versions,
        _insert_all,
        _xml_serialize,
        _json_object,
        _current_of,
        _returning_into,
        _odbc,
    ),
    "postgres": (_index, _search_and_cycle, _xml_serialize, _current_of, _versions_of_rows, _odbc),
    "tsql": (_index, _outer_joins, _compute, _compound, _output_into, _current_of, _odbc),
    "mysql": (_index, _modifiers, _analyse, _replace, _on_empty, _odbc, _value_rows),
    "sqlite": (_replace,),
}
