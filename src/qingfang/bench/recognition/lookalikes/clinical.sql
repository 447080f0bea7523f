== N01 医生看本人病人处方 | a doctor opens a patient's prescriptions
@expect clinical pinned
SELECT m.{line.item}, m.{line.qty}, c.{rx.doctor}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.patient} = {patient7} AND c.{rx.day} >= {day:2026-01-20}
@text
SELECT d.{drug.name}, d.{drug.spec}, m.{line.qty}, e.{staff.name}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
LEFT JOIN {drug} d ON d.{drug.item} = m.{line.item}
LEFT JOIN {staff} e ON e.{staff.doctor} = c.{rx.doctor}
WHERE c.{rx.visit} = {visit9} AND c.{rx.doctor} = {doctor2}

== N02 药房窗口发药队列 | dispensing queue of one window
@expect clinical worklist
SELECT c.{rx.id}, c.{rx.patient}, c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE {rx.window} = {window1} AND {rx.day} = {day:2026-01-20}
@text
@only drug : 发药表只有药品
SELECT f.{disp.rx}, f.{disp.patient}, f.{disp.doctor}, f.{disp.item}, f.{disp.qty}
FROM {disp} f WHERE f.{disp.window} = {window1} AND f.{disp.day} = {day:2026-01-20} AND {disp.open:f}
@text
SELECT m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.window} = {window2} AND {rx.open:c} GROUP BY m.{line.item}

== N03 病人用药史 | a patient's medication history
@expect clinical pinned
SELECT c.{rx.day}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.patient} = {patient33} ORDER BY c.{rx.day}
@text
SELECT d.{drug.name}, m.{line.qty} FROM {all} m
JOIN {rx} c ON c.{rx.id} = m.{line.rx} LEFT JOIN {drug} d ON d.{drug.item} = m.{line.item}
WHERE c.{rx.patient} IN ({patient3}, {patient4})
@text
SELECT c.{rx.day}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.patient} = {patient3}
UNION ALL
SELECT c.{rx.day}, h.{line_hist.item}, h.{line_hist.qty}
FROM {rx} c JOIN {line_hist} h ON h.{line_hist.rx} = c.{rx.id} WHERE c.{rx.patient} = {patient3}

== N06 一个病人的医保结算 | insurance settlement of one patient
@expect clinical pinned
SELECT f.{charge.item}, SUM(f.{charge.amount}) AS fee FROM {charge} f
WHERE f.{charge.visit} = {visit5} GROUP BY f.{charge.item}
@text
SELECT u.{ins.item}, u.{ins.qty}, u.{ins.amount} FROM {ins} u WHERE u.{ins.visit} = {visit5}
@text
SELECT f.{charge.kind}, SUM(f.{charge.amount}) AS fee FROM {charge} f
WHERE f.{charge.visit} = {visit6} AND f.{charge.patient} = {patient6} GROUP BY f.{charge.kind}

== N17 合理用药审查 | interaction check
@expect clinical pinned
SELECT m.{line.item} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.patient} = {patient20} AND c.{rx.day} >= {day:2026-01-15}
@text
SELECT d.{drug.class}, COUNT(*) AS n FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
JOIN {drug} d ON d.{drug.item} = m.{line.item}
WHERE c.{rx.patient} = {patient8} GROUP BY d.{drug.class}

== N20 病区摆药单（当日） | ward dispensing list of today
@expect clinical worklist
SELECT y.{order.visit}, y.{order.item}, y.{order.qty}, y.{order.doctor} FROM {order} y
WHERE y.{order.ward} = {ward2} AND y.{order.day} = {day:2026-01-20} AND {order.is:y}
@text
SELECT p.{patient.name}, y.{order.name}, y.{order.qty} FROM {order} y
JOIN {patient} p ON p.{patient.patient} = y.{order.patient}
WHERE y.{order.ward} = {ward1} AND y.{order.day} = {day:2026-01-20} AND {order.is:y}

== N21 病区发药汇总单（当日） | ward dispensing summary of today
@expect clinical worklist
SELECT y.{order.item}, SUM(y.{order.qty}) AS total FROM {order} y
WHERE y.{order.ward} = {ward2} AND y.{order.day} = {day:2026-01-20} AND {order.is:y}
GROUP BY y.{order.item}
@text
SELECT y.{order.item}, SUM(y.{order.qty}) AS total FROM {order} y
WHERE y.{order.dept} = {dept2} AND y.{order.day} >= {day:2026-01-20} AND y.{order.day} < {day:2026-01-21} AND {order.is:y}
GROUP BY y.{order.item}

== N23 护士执行本病区医嘱 | nurse executes the ward's orders
@expect clinical worklist
SELECT y.{order.visit}, y.{order.item}, y.{order.qty}, y.{order.doctor} FROM {order} y
WHERE y.{order.ward} = {ward3} AND y.{order.day} = {day:2026-01-20} ORDER BY y.{order.visit}

== N31 一张处方退药退费 | refund of one prescription
@expect clinical pinned
SELECT m.{line.item}, m.{line.qty}, c.{rx.doctor}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} WHERE c.{rx.id} = {rx12#}
@text
SELECT f.{charge.item}, f.{charge.qty}, f.{charge.amount}, f.{charge.doctor} FROM {charge} f
WHERE f.{charge.visit} = {visit12} AND f.{charge.item} = {item3}

== N32 院感：一个病区当日抗菌药物 | infection control: one ward's class of today
@expect clinical worklist
SELECT y.{order.visit}, y.{order.item}, y.{order.qty} FROM {order} y
JOIN {drug} d ON d.{drug.item} = y.{order.item}
WHERE y.{order.ward} = {ward1} AND y.{order.day} = {day:2026-01-20} AND d.{drug.class} = {class1}

== N34 单台手术耗材记账 | billing the consumables of one operation
@only material : 只关耗材
@expect clinical pinned
SELECT m.{use_line.item}, m.{use_line.qty}, m.{use_line.amount}
FROM {use} c JOIN {use_line} m ON m.{use_line.rx} = c.{use.id} WHERE c.{use.id} = {rx12#}

== N41 患者 360 视图 | single-patient timeline
@expect clinical pinned
SELECT c.{rx.day}, c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} WHERE c.{rx.patient} = {patient14}
UNION ALL
SELECT y.{order.day}, y.{order.doctor}, y.{order.item}, y.{order.qty}
FROM {order} y WHERE y.{order.patient} = {patient14} AND {order.is:y}
