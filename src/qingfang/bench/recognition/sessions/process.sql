== T89 月初规律性小批量 | small batches at the start of each month
@expect usage detail item
@session usage detail
@as operator=1
SELECT c.{rx.doctor}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.doctor} IN ({doctor1}, {doctor2}, {doctor3})
;;
@as at=31d
SELECT c.{rx.doctor}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.doctor} IN ({doctor1}, {doctor2}, {doctor3})
;;
@as at=61d
SELECT c.{rx.doctor}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.doctor} IN ({doctor1}, {doctor2}, {doctor3})
;;
@as at=92d
SELECT c.{rx.doctor}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.doctor} IN ({doctor1}, {doctor2}, {doctor3})

== T92 两人分工各取一半 | two people take half each
@session usage detail
SELECT m.{line.rx}, m.{line.item}, m.{line.qty} FROM {line} m
;;
SELECT c.{rx.id}, c.{rx.doctor} FROM {rx} c WHERE c.{rx.day} >= {day:2026-01-01}
@text
@session usage prescriber
SELECT COUNT(*) AS n, c.{rx.id} FROM {rx} c WHERE c.{rx.doctor} = {doctor1} GROUP BY c.{rx.id}
;;
SELECT m.{line.rx}, SUM(m.{line.qty}) AS total FROM {line} m WHERE m.{line.item} = {item1} GROUP BY m.{line.rx}

== T94 被拦后变形重试 | varied again after a denial
@expect usage prescriber item
@session usage prescriber
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor}
;;
SELECT c.{rx.doctor}, COUNT(*) AS n FROM {line} m, {rx} c WHERE m.{line.rx} = c.{rx.id}
AND m.{line.item} = {item1} GROUP BY c.{rx.doctor}
;;
SELECT c.{rx.doctor} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} WHERE m.{line.item} = {item1}
ORDER BY c.{rx.doctor}

== T95 先用小范围试探规则 | a small range first, to probe the rules
@expect usage detail item
@text oracle
@session usage detail
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} AND ROWNUM <= 1
;;
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} AND ROWNUM <= 5
;;
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} AND ROWNUM <= 2000
@text tsql
@session usage detail
SELECT TOP 1 c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
SELECT TOP 5 c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
SELECT TOP 2000 c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
@text mysql postgres
@session usage detail
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} LIMIT 1
;;
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} LIMIT 5
;;
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} LIMIT 2000

== T22 逐个医生的当天清单 | one prescriber's list of the day after another
@expect clinical worklist
@session usage prescriber
@each 12
SELECT c.{rx.id}, c.{rx.patient}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = {doctor*} AND c.{rx.day} = {day:2026-01-20}

== T25 慢滴：一个病区一天一天的清单 | a ward's lists of past days, one by one
@expect clinical worklist
@session usage detail
@each 9 gap=1d
SELECT y.{order.visit}, y.{order.item}, y.{order.qty}, y.{order.doctor} FROM {order} y
WHERE y.{order.ward} = {ward3} AND y.{order.day} = {day:2025-12-1{*}} AND {order.is:y}
