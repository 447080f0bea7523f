"""The signed snapshot: what is taken, what is refused and why, what lapses."""

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from qingfang.judge.snapshot import (
    Allowed,
    Directory,
    Grant,
    Head,
    Holder,
    Person,
    Rejected,
    Report,
    Scope,
    Service,
    Snapshot,
    Span,
    Terminal,
    digest,
    encode,
    seal,
)

OFFICE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def verify(message: bytes, signature: bytes) -> bool:
    try:
        OFFICE.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return True


def snapshot(version: int = 1, **fields: object) -> Snapshot:
    made = {"site": "hospital", "version": version, "made_at_us": 1000, "expires_at_us": 2000}
    return Snapshot(**(made | fields))  # type: ignore[arg-type]


def sealed(made: Snapshot, key: Ed25519PrivateKey = OFFICE) -> bytes:
    return seal(made, key.sign)


def refusal(holder: Holder, data: bytes) -> str:
    before = (holder.current, holder.head)
    with pytest.raises(Rejected) as caught:
        holder.offer(data)
    assert (holder.current, holder.head) == before, "the old one stays in force"
    assert str(caught.value)
    return caught.value.code


def test_taken_then_followed_by_its_successor() -> None:
    holder = Holder("hospital", verify)
    first = snapshot(1, persons=(Person(number="001"),))
    holder.offer(sealed(first))
    assert holder.current == first
    second = snapshot(2, previous=digest(encode(first)))
    holder.offer(sealed(second))
    assert holder.head == Head(2, digest(encode(second)))
    holder.offer(sealed(second))
    assert holder.current == second


def test_an_engine_that_was_off_sees_its_version_in_the_ancestors() -> None:
    first = snapshot(1)
    holder = Holder("hospital", verify, Head(1, digest(encode(first))))
    later = snapshot(9, previous="8" * 64, ancestors={"1": digest(encode(first))})
    assert holder.offer(sealed(later)).version == 9


def test_refusals_name_their_reason_and_leave_the_old_one_in_force() -> None:
    holder = Holder("hospital", verify)
    first = snapshot(5)
    good = sealed(first)
    holder.offer(good)
    assert refusal(holder, b"{") == "bad-envelope"
    assert refusal(holder, sealed(snapshot(6), STRANGER)) == "bad-signature"
    assert refusal(holder, sealed(snapshot(4))) == "older"
    assert refusal(holder, sealed(snapshot(5, made_at_us=7))) == "fork"
    assert refusal(holder, sealed(snapshot(6, previous="0" * 64))) == "fork"
    assert refusal(holder, sealed(snapshot(8, previous="0" * 64))) == "gap"
    assert refusal(holder, sealed(snapshot(8, ancestors={"5": "0" * 64}))) == "fork"
    other = snapshot(6, site="elsewhere", previous=digest(encode(first)))
    assert refusal(holder, sealed(other)) == "other-site"
    assert refusal(holder, sealed(snapshot(6, base="a" * 64))) == "delta"
    assert refusal(holder, sealed(snapshot(6, format=3))) == "other-format"
    envelope = msgspec.json.decode(good)
    assert refusal(holder, msgspec.json.encode(envelope | {"more": 1})) == "bad-envelope"


def test_the_older_one_is_refused_after_a_restart_too() -> None:
    holder = Holder("hospital", verify, Head(5, "a" * 64))
    assert refusal(holder, sealed(snapshot(4))) == "older"


def test_a_signature_for_another_purpose_is_none_for_a_snapshot() -> None:
    payload = encode(snapshot())
    data = msgspec.json.encode({"payload": payload, "signature": OFFICE.sign(payload)})
    assert refusal(Holder("hospital", verify), data) == "bad-signature"


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_any_flipped_bit_is_refused(place: int, bit: int) -> None:
    data = bytearray(sealed(snapshot(1, persons=(Person(number="001", name="合成医生"),))))
    data[place % len(data)] ^= 1 << bit
    holder = Holder("hospital", verify)
    try:
        taken = holder.offer(bytes(data))
    except Rejected:
        return
    # JSON has bytes that carry nothing (the key's name, the last bits of base64).
    assert taken == snapshot(1, persons=(Person(number="001", name="合成医生"),))


GRANT = Grant(
    id="G1",
    person="001",
    terminals=("T1",),
    scope=Scope(grain="department", items=Allowed(kind="list", values=("A",))),
    valid=Span(from_us=0, to_us=10),
)
T1 = Terminal(id="T1", addresses=("10.0.0.1",))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"persons": (Person(number="1"), Person(number="1"))}, "persons[1]"),
        ({"terminals": (T1, T1)}, "terminals[1]"),
        ({"terminals": (Terminal(id="T", addresses=("10.0.0.300",)),)}, "terminals[0].addresses"),
        ({"grants": (GRANT,)}, "grants[0].terminals"),
        ({"services": (Service(id="S", why="上传", terminals=("T9",)),)}, "services[0].terminals"),
        (
            {
                "terminals": (T1,),
                "grants": (msgspec.structs.replace(GRANT, valid=Span(from_us=5, to_us=5)),),
            },
            "grants[0].valid",
        ),
        ({"grants": (msgspec.structs.replace(GRANT, terminals=()),)}, "grants[0].terminals"),
    ],
)
def test_content_that_cannot_be_meant_is_refused_by_its_field(
    fields: dict[str, object], named: str
) -> None:
    with pytest.raises(Rejected) as caught:
        sealed(snapshot(**fields))
    assert named in str(caught.value)
    payload = encode(snapshot(**fields))
    data = msgspec.json.encode(
        {"payload": payload, "signature": OFFICE.sign(b"qingfang snapshot\x00" + payload)}
    )
    assert refusal(Holder("hospital", verify), data) == "bad-content"


def test_an_unknown_field_is_refused_not_dropped() -> None:
    tree = msgspec.json.decode(encode(snapshot()))
    payload = msgspec.json.encode(tree | {"grant": []})
    data = msgspec.json.encode(
        {"payload": payload, "signature": OFFICE.sign(b"qingfang snapshot\x00" + payload)}
    )
    assert refusal(Holder("hospital", verify), data) == "bad-content"


def test_grants_lapse_with_the_snapshot() -> None:
    made = snapshot()
    assert not made.grants_lapsed(1999)
    assert made.grants_lapsed(2000)


def test_canonical_bytes_do_not_depend_on_the_order_of_maps() -> None:
    assert encode(snapshot(ancestors={"1": "a", "2": "b"})) == encode(
        snapshot(ancestors={"2": "b", "1": "a"})
    )


def test_a_terminal_is_found_by_address_network_and_mapped_address() -> None:
    ward = Terminal(id="W", addresses=("10.1.0.0/16", "fd00::/8"))
    room = Terminal(id="R", addresses=("10.1.2.0/24",))
    desk = Terminal(id="D", addresses=("10.1.2.3",))
    directory = Directory(snapshot(terminals=(ward, room, desk)))
    assert directory.terminal_at("10.1.2.3") == (desk, True)
    assert directory.terminal_at("::ffff:10.1.2.3") == (desk, True)
    assert directory.terminal_at("10.1.2.9") == (room, False)
    assert directory.terminal_at("10.1.9.9") == (ward, False)
    assert directory.terminal_at("fd00::1") == (ward, False)
    assert directory.terminal_at("192.0.2.1") is None
    assert directory.terminal_at("[local]") is None


def test_the_format_is_pinned() -> None:
    """Consoles sign these bytes: a change here is a change of the format."""
    made = snapshot(2, terminals=(T1,), grants=(GRANT,), previous="a" * 64)
    payload = encode(made)
    assert payload.startswith(
        b'{"site":"hospital","version":2,"made_at_us":1000,"expires_at_us":2000,"format":2,'
    )
    assert (
        b'"grants":[{"id":"G1","person":"001","terminals":["T1"],"scope":{"grain":"department",'
        b'"items":{"kind":"list","values":["A"]}},"valid":{"from_us":0,"to_us":10}}]'
    ) in payload


def test_the_format_before_is_still_read() -> None:
    """What an older console handed down lacks what was added since."""
    made = msgspec.json.decode(encode(snapshot(1, terminals=(T1,))))
    del made["settled"]
    payload = msgspec.json.encode(made | {"format": 1})
    data = msgspec.json.encode(
        {"payload": payload, "signature": OFFICE.sign(b"qingfang snapshot\x00" + payload)}
    )
    taken = Holder("hospital", verify).offer(data)
    assert taken.terminals == (T1,)
    assert taken.settled == ()


def test_a_menu_of_several_templates_is_found_by_each() -> None:
    menu = Report(
        id="R", digest="a" * 64, further=("b" * 64,), menu="月报", scope=Scope(grain="detail")
    )
    reports = Directory(snapshot(reports=(menu,))).reports
    assert reports == {"a" * 64: (menu,), "b" * 64: (menu,)}
