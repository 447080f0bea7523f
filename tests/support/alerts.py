"""Invented events as a gateway would have recorded them; nothing in them is real."""

from __future__ import annotations

import datetime as dt

from qingfang.events import Attributed, Event, Meaning, Period, Reason, Scope, Selection, Value

START = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))

SQL = (
    "SELECT d.dr_name, SUM(l.qty) AS total\n"
    "FROM outp_rx r JOIN outp_rx_line l ON l.rx_no = r.rx_no JOIN staff d ON d.dr_code = r.dr_code\n"
    "WHERE l.item_code = 'A0001' AND r.rx_time >= '2026-01-01'\n"
    "GROUP BY d.dr_name ORDER BY total DESC"
)


def usage(items: tuple[str, ...] = ("A0001",), grain: str = "prescriber") -> Meaning:
    begin = SQL.index("GROUP BY")
    return Meaning(
        disclosure="usage",
        grain=grain,  # type: ignore[arg-type]
        subtype="item",
        scope=Scope(
            items=Selection("list", tuple(Value(i) for i in items)),
            prescribers=Selection("all"),
            period=Period(Value("2026-01-01"), Value("2026-02-28")),
        ),
        reasons=(
            Reason("usage-sum", "把每张处方的数量加总", SQL.index("SUM"), SQL.index(" AS")),
            Reason("grain-prescriber", "按医生分组", begin, begin + len("GROUP BY d.dr_name")),
        ),
    )


def event(
    seq: int,
    *,
    verdict: str = "alert",
    operator: str = "1001",
    terminal: str = "",
    connection: str = "c1",
    client: str = "10.1.2.3:50123",
    sql: str = SQL,
    meaning: Meaning | None = None,
    rows: int | None = 37,
    after: float = 0,
    program: str = "Navicat",
    alert_number: str = "",
    **more: object,
) -> Event:
    answered = {"deny": "denied", "mask": "masked"}.get(verdict, "forwarded")
    alarming = verdict in ("alert", "deny", "mask", "review")
    return Event(
        connection=connection,
        at=(START + dt.timedelta(seconds=after or seq)).isoformat(),
        source="gateway",
        protocol="pg",
        server="10.0.0.5:5432",
        database="his",
        account="his_app",
        client=client,
        sql=sql,
        kind="query",
        verdict=verdict,  # type: ignore[arg-type]
        log="test",
        seq=seq,
        program=program,
        operator=Attributed(operator, 0.9, ("本连接的登录语句",)) if operator else None,
        terminal=Attributed(terminal, 1.0, ("登记的地址",)) if terminal else None,
        rows=None if verdict == "deny" else rows,
        bytes=None if verdict == "deny" or rows is None else rows * 40,
        meaning=meaning if meaning is not None else (usage() if alarming else Meaning("none")),
        reasons=("看到了按医生统计的单品种用量，没有备案授权",) if alarming else (),
        alert=(alert_number or f"A-{seq}") if alarming else None,
        answered_as=answered,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )
