"""Who is behind a shared database account, and where: inferred, with how surely and from what.

Rules this module keeps:

1. The operator is whom the transaction under way names (a row that carries the writer's number);
   else whom the last sign-in statement on this connection named; else an operating system user or
   account that is a staff number; never a guess from the terminal's custodian. A transaction's name
   ends with it: a pooled connection serves the next person then.
2. The terminal is the one declared at the client's address. An address in a declared network, or
   one whose computer gives itself another name, is not sure enough to be used in anybody's favour
   (`grants.SURE`), but still says where.
3. An inference says why (`because`, Chinese). Nothing inferred is `None`, not an empty name.
4. Where several people sign in on one connection in turns, it belongs to a program's pool, and a
   statement may be another's whose sign-in went over another connection of the pool: the last
   sign-in is then the best guess, and not sure enough to be used in anybody's favour.
5. So with an address at which several people work in turns, back and forth: it is a server's.
6. Bounded: the longest idle connections and operators are forgotten first. A forgotten sign-in
   makes the operator unknown, which is never in somebody's favour.
7. `image` gives sign-ins and where people were seen as they are at one moment, part by part, while
   statements go on being judged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from qingfang.events import Attributed, Connection, Meaning, Who
from qingfang.image import Entry, Image
from qingfang.judge.snapshot import Directory

SIGN_INS = "sign-ins"
SEEN = "seen"
_CONNECTIONS = 100_000
_OPERATORS = 50_000
_TERMINALS = 16
_NAMES = 64
# Names that come back on a connection twice within this time tell a pool from a change of shift or
# a stand-in; what was told so holds so long.
_TURN_US = 600_000_000
_POOL_US = 3_600_000_000

_T = TypeVar("_T")


class _SignedIn:
    """Who signed in last on a connection, when the others before gave way, when one of them last
    came back, and when people last took turns on it."""

    __slots__ = ("back_us", "before", "name", "pool_us", "turn")

    def __init__(self, name: str) -> None:
        self.turn: int = 0
        self.name: str = name
        self.before: OrderedDict[str, int] = OrderedDict()
        self.back_us: int | None = None
        self.pool_us: int | None = None

    def again(self, name: str, at_us: int) -> None:
        if name == self.name:
            return
        self.before[self.name] = at_us
        self.before.move_to_end(self.name)
        if len(self.before) > _NAMES:
            self.before.popitem(last=False)
        self.name = name
        left = self.before.get(name)
        if left is not None and at_us - left <= _TURN_US:
            if self.back_us is not None and at_us - self.back_us <= _TURN_US:
                self.pool_us = at_us
            self.back_us = at_us

    def pooled(self, at_us: int) -> bool:
        return self.pool_us is not None and at_us - self.pool_us <= _POOL_US


class _Seen:
    """Where an operator was at work, and when last."""

    __slots__ = ("places", "turn")

    def __init__(self, places: dict[str, int]) -> None:
        self.turn: int = 0
        self.places: dict[str, int] = places


class Attribution:
    """Remembers who signed in on which connection, and who was seen at which terminals."""

    def __init__(self) -> None:
        self._signed_in: OrderedDict[str, _SignedIn] = OrderedDict()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._writing: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._at: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._here: OrderedDict[str, _SignedIn] = OrderedDict()
        self._turn = 0
        self._images: tuple[Image[_SignedIn], Image[_Seen]] | None = None

    def who(
        self,
        connection: Connection,
        meaning: Meaning,
        directory: Directory,
        at_us: int,
        transaction: int = 0,
    ) -> Who:
        """Who sends this statement. A name counts from its own statement on. `transaction` is the
        number of the statement's transaction on its connection."""
        if meaning.operator is not None and meaning.operator.text:
            name = meaning.operator.text.strip()
            if meaning.operator_scope == "session":
                self.sign_in(connection.id, name, at_us)
            else:
                _put(self._writing, connection.id, (name, transaction))
        operator = self._operator(connection, directory, at_us, transaction)
        terminal, place = _terminal(connection, directory)
        if operator is not None:
            where = terminal.value if terminal is not None else address(connection.client)
            self.note(operator.value, where, at_us)
        return Who(operator, terminal, place)

    def sign_in(self, connection: str, name: str, at_us: int) -> None:
        """From now on the connection's operator is `name`."""
        signed = self._signed_in.get(connection)
        if signed is None:
            signed = self._signed_in[connection] = _SignedIn(name)
            signed.turn = self._turn + 1
            if len(self._signed_in) > _CONNECTIONS:
                self._sign_out(next(iter(self._signed_in)))
        self._stir(connection, signed)
        signed.again(name, at_us)

    def at_once(self, operator: str, at_us: int, within_us: int) -> int:
        """At how many terminals (or undeclared addresses) the operator was seen lately (T74)."""
        seen = self._seen.get(operator)
        places = seen.places if seen is not None else {}
        return sum(1 for last in places.values() if abs(at_us - last) <= within_us)

    def persons_at(self, where: str, at_us: int, within_us: int) -> int:
        """How many operators were at work at a terminal (or undeclared address) lately: whoever
        can write sign-in rows can be anybody, but not many at once. Not kept over a restart."""
        seen = self._at.get(where, {})
        return sum(1 for last in seen.values() if abs(at_us - last) <= within_us)

    def serves_many(self, where: str, at_us: int) -> bool:
        """Whether people lately took turns at a terminal (or undeclared address) as they do behind a
        server: one after another, and back. Not kept over a restart."""
        here = self._here.get(where)
        return here is not None and here.pooled(at_us)

    def closed(self, connection: str) -> None:
        """The connection ended; its sign-in with it."""
        self._sign_out(connection)
        self._writing.pop(connection, None)

    def _sign_out(self, connection: str) -> None:
        signed = self._signed_in.get(connection)
        if signed is not None:
            if self._images is not None:
                self._images[0].keep(SIGN_INS, connection, signed)
            del self._signed_in[connection]

    def _stir(self, connection: str, signed: _SignedIn) -> None:
        """The sign-in is used, and maybe about to be changed."""
        if self._images is not None:
            self._images[0].keep(SIGN_INS, connection, signed)
        self._turn += 1
        signed.turn = self._turn
        self._signed_in.move_to_end(connection)

    def _operator(
        self, connection: Connection, directory: Directory, at_us: int, transaction: int
    ) -> Attributed | None:
        written = self._writing.get(connection.id)
        if written is not None:
            if written[1] == transaction:
                return _named(written[0], "同一事务写入的记录写明了工号", directory)
            del self._writing[connection.id]
        signed = self._signed_in.get(connection.id)
        if signed is not None:
            self._stir(connection.id, signed)
            found = _named(signed.name, "本连接上的登录语句写明了工号", directory)
            if signed.pooled(at_us):
                why = "几个人轮流在本连接上登录（程序的连接池），按最近一次推定"
                found = Attributed(found.value, min(found.confidence, 0.5), (*found.because, why))
            return found
        for name, said in (
            (connection.os_user, "操作系统用户名就是工号"),
            (connection.account, "数据库账号就是工号"),
        ):
            person = directory.person(name) if name else None
            if person is not None:
                return Attributed(person.number, 0.65, (said,))
        return None

    def note(self, operator: str, where: str, at_us: int) -> None:
        """The operator was at work at a terminal (or undeclared address)."""
        seen = self._seen.get(operator)
        if seen is None:
            seen = self._seen[operator] = _Seen({})
            if len(self._seen) > _OPERATORS:
                idle, gone = self._seen.popitem(last=False)
                if self._images is not None:
                    self._images[1].keep(SEEN, idle, gone)
        else:
            if self._images is not None:
                self._images[1].keep(SEEN, operator, seen)
            self._seen.move_to_end(operator)
        self._turn += 1
        seen.turn = self._turn
        places = seen.places
        if where not in places and len(places) >= _TERMINALS:
            del places[min(places, key=places.__getitem__)]
        places[where] = max(at_us, places.get(where, 0))
        here = self._at.get(where, {})
        if operator not in here and len(here) >= _TERMINALS:
            del here[min(here, key=here.__getitem__)]
        here[operator] = max(at_us, here.get(operator, 0))
        _put(self._at, where, here)
        turns = self._here.get(where) or _SignedIn(operator)
        turns.again(operator, at_us)
        _put(self._here, where, turns)

    def image(self) -> tuple[Image[_SignedIn], Image[_Seen]]:
        """Who is signed in and where people were seen, as it is now: both to be taken part by part."""
        self._images = (
            Image({SIGN_INS: self._signed_in}, self._turn, _sign_in_packed),
            Image({SEEN: self._seen}, self._turn, _seen_packed),
        )
        return self._images

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take over the parts of an image, in whatever order, in place of all that is held. Raises
        ValueError, and changes nothing, when one is none."""
        signed_in: OrderedDict[str, _SignedIn] = OrderedDict()
        seen: OrderedDict[str, _Seen] = OrderedDict()
        turn = 0
        for entry in sorted(entries, key=lambda e: e.turn):
            turn = entry.turn
            try:
                if entry.table == SIGN_INS:
                    name, pool_us = _sign_in_decoder.decode(entry.known)
                    signed = signed_in[entry.name] = _SignedIn(name)
                    signed.turn, signed.pool_us = turn, pool_us
                elif entry.table == SEEN:
                    here = seen[entry.name] = _Seen(_seen_decoder.decode(entry.known))
                    here.turn = turn
                else:
                    raise ValueError(f"attribution has no table {entry.table}")
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise ValueError(f"not a state of attribution: {error}") from None
        self._signed_in, self._seen, self._turn, self._images = signed_in, seen, turn, None


_sign_in_decoder = msgspec.msgpack.Decoder(tuple[str, int | None])
_seen_decoder = msgspec.msgpack.Decoder(dict[str, int])


def _sign_in_packed(signed: _SignedIn) -> bytes:
    return msgspec.msgpack.encode((signed.name, signed.pool_us))


def _seen_packed(seen: _Seen) -> bytes:
    return msgspec.msgpack.encode(seen.places)


def _put(table: OrderedDict[str, _T], name: str, value: _T) -> None:
    table[name] = value
    table.move_to_end(name)
    if len(table) > _CONNECTIONS:
        table.popitem(last=False)


def _named(number: str, because: str, directory: Directory) -> Attributed:
    person = directory.person(number)
    if person is not None:
        return Attributed(person.number, 0.95, (because,))
    return Attributed(number, 0.6, (because, "人员名册里没有这个工号"))


def address(client: str) -> str:
    """The address of `address:port`, without the brackets of IPv6."""
    if client.startswith("["):
        return client[1:].partition("]")[0]
    return client.rpartition(":")[0] if client.count(":") == 1 else client


def _terminal(
    connection: Connection, directory: Directory
) -> tuple[Attributed | None, Attributed | None]:
    found = directory.terminal_at(address(connection.client))
    if found is None:
        return None, None
    terminal, exact = found
    if not exact:
        confidence, because = 0.5, ("地址在登记的网段内，不能确定是哪一台",)
    elif not connection.host or not terminal.host:
        confidence, because = 0.8, ("地址与登记的终端相同",)
    elif connection.host.casefold() == terminal.host.casefold():
        confidence, because = 0.95, ("地址与登记的终端相同", "电脑名也相同")
    else:
        confidence, because = 0.5, ("地址与登记的终端相同", "电脑名与登记的不同")
    place = Attributed(terminal.room, confidence, because) if terminal.room else None
    return Attributed(terminal.id, confidence, because), place
