"""Every text of the pages, and of the commands, that has to have an English translation."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

from babel.messages.extract import extract_python
from django.utils.translation.template import templatize

import qingfang
from qingfang.engine import definitions
from qingfang.review import reasons

ROOT = Path(qingfang.__file__).parent
ROOMS = ("ui", "people", "access", "review", "web")
_FUNCTIONS = {
    name: None if name not in ("ngettext",) else (1, 2)
    for name in ("_", "_lazy", "_now", "gettext", "gettext_lazy", "ngettext")
}
# templatize turns a template's texts into calls: gettext(u"…"), ngettext(u"…", u"…", count).
_CALL = re.compile(
    r"""(n?)gettext\(\s*u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""(?:\s*,\s*u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))?""",
    re.DOTALL,
)
_SHORT = re.compile(r"""_\(("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\)""")


def _text(literal: str) -> str:
    return str(ast.literal_eval(literal))


def used() -> dict[str | tuple[str, str], str]:
    """Each text (or pair of singular and plural) with one file that uses it."""
    found: dict[str | tuple[str, str], str] = {}
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            if "migrations" in file.parts:
                continue
            source = io.BytesIO(file.read_bytes())
            for _line, name, message, _notes in extract_python(source, _FUNCTIONS, [], {}):
                if name == "ngettext":
                    found[message[0], message[1]] = file.name
                else:
                    text = message if isinstance(message, str) else message[0]
                    if text:
                        found[text] = file.name
        for file in sorted((ROOT / room).rglob("*.html")):
            code = templatize(file.read_text(encoding="utf-8"), origin=str(file))
            for plural, first, second in _CALL.findall(code):
                if plural and second:
                    found[_text(first), _text(second)] = file.name
                else:
                    found[_text(first)] = file.name
            for literal in _SHORT.findall(code):
                found[_text(literal)] = file.name
    # The definitions that come with the product: a hospital's own are shown as they were written.
    for name in definitions.names():
        own = definitions.built_in(name)
        for text in (own.title, own.source, own.article, own.words):
            found[text] = name
    # The engine's reasons, which pages retell.
    for text in reasons.templates():
        found[text] = "reasons"
    return found


def spoken() -> dict[str, str]:
    """Each text of the commands and the engine (`qingfang.language`) with the place that says it.

    Raises `AssertionError` where `_()` is given anything but a literal: it could not be translated.
    """
    found: dict[str, str] = {}
    for file in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "qingfang.language"
            for alias in node.names
            if alias.name == "_"
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in names
            ):
                place = f"{file.relative_to(ROOT)}:{node.lineno}"
                text = node.args[0]
                assert isinstance(text, ast.Constant), f"{place}: not a literal"
                assert isinstance(text.value, str), f"{place}: not a text"
                found[text.value] = place
    return found
