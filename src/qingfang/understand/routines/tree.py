"""The statement tree of a routine's body, the same for all languages.

Rules this module keeps:

1. Expressions are kept as `SELECT expression`, so that whatever a variable stands for can be put
   into its FROM; queries are trees as the parser gives them, without INTO and assignments.
2. Variables are named in lower case, without T-SQL's `@` and with MySQL's; a record's field is
   `record.field`.
3. What was not read is an `Unread`, never left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

Span = tuple[int, int]
Given = tuple[str, "exp.Select | None", str]
"""One argument: its parameter's name or "", its value, and the variable that gets what comes out."""


@dataclass(slots=True)
class Step:
    """One statement; `span` is where it stands in the text."""

    span: Span = field(default=(0, 0), init=False)


@dataclass(slots=True)
class Block(Step):
    steps: list[Step]
    handlers: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class Unread(Step):
    """`kind` is a problem's (`reasons.OF_PROBLEM`)."""

    kind: str
    name: str = ""


@dataclass(slots=True)
class Query(Step):
    """A query; its columns go `into` variables in order, else (None) to who called. `discarded`:
    to nobody (PERFORM). `filed`: to a file of the server's."""

    tree: exp.Expr
    into: list[str] | None = None
    appends: bool = False
    discarded: bool = False
    filed: bool = False


@dataclass(slots=True)
class Change(Step):
    """INSERT, UPDATE, DELETE, MERGE, CREATE. What RETURNING gives goes `into` variables; `sets` are
    the variables of T-SQL's `UPDATE … SET @v = …`."""

    tree: exp.Expr
    into: list[str] | None = None
    sets: list[tuple[str, exp.Select]] = field(default_factory=list)


@dataclass(slots=True)
class Declare(Step):
    """`kind` is the type's first word in upper case."""

    name: str
    kind: str
    value: exp.Select | None = None


@dataclass(slots=True)
class DeclareTable(Step):
    """A table variable, or a temporary table made empty."""

    name: str
    columns: list[str]


@dataclass(slots=True)
class Assign(Step):
    """`value` None: something that is not known."""

    target: str
    value: exp.Select | None
    appends: bool = False


@dataclass(slots=True)
class If(Step):
    arms: list[tuple[exp.Select | None, Block]]
    other: Block | None = None


@dataclass(slots=True)
class Loop(Step):
    """`jumps`: a GOTO may go from anywhere in it to anywhere."""

    body: Block
    condition: exp.Select | None = None
    jumps: bool = False


@dataclass(slots=True)
class Each(Step):
    """A loop over rows (a query, a cursor's name, a text) or over numbers and elements (`value`);
    `few`: numbers or elements that are at most ten, or the sender's own list."""

    names: list[str]
    body: Block
    over: Step | str | None = None
    value: exp.Select | None = None
    given: list[Given] = field(default_factory=list)
    few: bool = False


@dataclass(slots=True)
class Cursor(Step):
    """`local`: it ends with the body."""

    name: str
    parameters: list[str]
    over: Step | None
    local: bool = False


@dataclass(slots=True)
class Release(Step):
    """T-SQL's DEALLOCATE of a cursor."""

    name: str


@dataclass(slots=True)
class Open(Step):
    """`over` None: the cursor's own query."""

    name: str
    over: Step | None = None
    given: list[Given] = field(default_factory=list)


@dataclass(slots=True)
class Fetch(Step):
    """`into` None: to who called."""

    name: str
    into: list[str] | None


@dataclass(slots=True)
class Execute(Step):
    """A text that is run. `using` are its bound values, by name or in order."""

    text: exp.Select | None
    into: list[str] | None = None
    using: list[Given] = field(default_factory=list)


@dataclass(slots=True)
class Prepare(Step):
    """`family`: the server numbers what is prepared so, and puts the number into the variable
    `name`."""

    name: str
    text: exp.Select | None
    family: str = ""


@dataclass(slots=True)
class Run(Step):
    """MySQL's `EXECUTE name USING …`; SQL Server's `sp_execute handle, …`: then `handle` is its family
    and number, and `name` the variable that holds it."""

    name: str
    using: list[Given] = field(default_factory=list)
    handle: str = ""


@dataclass(slots=True)
class Call(Step):
    """A routine by its name, or by the variable that holds it. `into` gets its status or value."""

    name: str
    given: list[Given]
    into: str = ""
    variable: bool = False


@dataclass(slots=True)
class InsertRun(Step):
    """T-SQL's `INSERT t EXEC …`."""

    table: str
    columns: list[str]
    run: Step


@dataclass(slots=True)
class Return(Step):
    """RETURN value; `rows`: these rows are among what is returned, and the routine goes on."""

    value: exp.Select | None = None
    over: Step | None = None
    rows: bool = False


@dataclass(slots=True)
class Hand(Step):
    """PRINT, RAISE, PIPE ROW and their like: the values go to who called."""

    values: list[exp.Select]
    ends: bool = False


@dataclass(slots=True)
class Parameter:
    """`mode`: `in`, `out`, `inout`. `kind` is the type's first word in upper case."""

    name: str
    mode: str = "in"
    kind: str = ""
    default: exp.Select | None = None


@dataclass(slots=True)
class Routine:
    """A routine, a package (its routines in `inner`) or a plain block."""

    name: str = ""
    parameters: list[Parameter] = field(default_factory=list)
    body: Block = field(default_factory=lambda: Block([]))
    inner: dict[str, Routine] = field(default_factory=dict)
    parsed: list[exp.Expr] = field(default_factory=list)
    # A SQL function: its last query is its value.
    plain: bool = False
    # What every end of the body hands back: the table that T-SQL's function fills.
    last: Step | None = None
