"""Hostile snapshots under a good signature, and good ones under none: taken whole, or `Rejected`
while the one in force stays."""

import random

import msgspec

from qingfang.judge.snapshot import (
    Allowed,
    Contact,
    Days,
    Designation,
    Directory,
    Duty,
    Grant,
    Holder,
    Person,
    Rejected,
    Report,
    RouteMode,
    Scope,
    Service,
    Settled,
    Snapshot,
    Span,
    Terminal,
    Weekly,
    digest,
    encode,
)
from tests.fuzz import _mutate

_FIRST = Snapshot(site="h", version=4, made_at_us=1, expires_at_us=9)
_GOOD = msgspec.json.decode(
    encode(
        Snapshot(
            site="h",
            version=5,
            made_at_us=2,
            expires_at_us=9,
            previous=digest(encode(_FIRST)),
            ancestors={"3": "0" * 64},
            persons=(
                Person(number="1", name="某人", codes=("D1",), away=(Span(from_us=1, to_us=2),)),
            ),
            terminals=(Terminal(id="T1", addresses=("10.0.0.1", "10.1.0.0/16", "fd00::/8")),),
            designations=(Designation(function="statistics", persons=("1",), terminals=("T1",)),),
            services=(Service(id="S", why="上传", terminals=("T1",), tables=("t",)),),
            reports=(
                Report(
                    id="R",
                    digest="a" * 64,
                    further=("b" * 64,),
                    menu="月报",
                    scope=Scope(
                        grain="institution", prescribers=Allowed(kind="one"), longest_days=31
                    ),
                    posts=("统计员",),
                    grants=("G1",),
                ),
            ),
            settled=(Settled(id="S-1", digest="c" * 64, server="h:1", tables=("t",), until_us=8),),
            grants=(
                Grant(
                    id="G1",
                    person="1",
                    terminals=("T1",),
                    scope=Scope(
                        grain="department",
                        items=Allowed(kind="list", values=("A",)),
                        period=Days(from_day="2026-01-01", to_day="2026-06-30"),
                    ),
                    valid=Span(from_us=1, to_us=8),
                    windows=(Weekly(weekdays=(1, 2), from_time="08:00", to_time="12:00"),),
                    max_runs=3,
                ),
            ),
            routes=(RouteMode(route="main", mode="enforce"),),
            contacts=(Contact(person="1", channel="mail", address="a@example.invalid"),),
            duties=(Duty(span=Span(from_us=1, to_us=8), persons=("1",)),),
        )
    )
)
_SIGNED = b"good"


def _verify(message: bytes, signature: bytes) -> bool:
    return signature == _SIGNED


def _envelope(payload: bytes) -> bytes:
    return msgspec.json.encode({"payload": payload, "signature": _SIGNED})


def attack(seed: int) -> None:
    rng = random.Random(seed)
    holder = Holder("h", _verify)
    holder.offer(_envelope(encode(_FIRST)))
    match rng.randrange(4):
        case 0:
            data = _mutate.octets(rng, _envelope(msgspec.json.encode(_GOOD)))
        case 1:
            data = _envelope(_mutate.octets(rng, msgspec.json.encode(_GOOD)))
        case _:
            data = _envelope(msgspec.json.encode(_mutate.document(rng, _GOOD)))
    before = (holder.current, holder.head)
    try:
        taken = holder.offer(data)
    except Rejected as refused:
        assert str(refused)
        assert (holder.current, holder.head) == before
        return
    assert taken.version > 4 or taken == _FIRST
    directory = Directory(taken)
    directory.terminal_at("10.1.2.3")
    assert all(directory.person(p.number) is not None for p in taken.persons)
