== K01 按医生按品种汇总 | per-doctor × item SUM, by kind
@only drug material ordinary : 三类各一遍
@expect usage prescriber item
SELECT f.{charge.doctor}, f.{charge.item}, SUM(f.{charge.qty}) AS total
FROM {charge} f WHERE {charge.is:f} GROUP BY f.{charge.doctor}, f.{charge.item}
@text
SELECT u.{ins.doctor}, u.{ins.item}, SUM(u.{ins.amount}) AS total
FROM {ins} u WHERE {ins.is:u} AND u.{ins.day} >= {day:2026-01-01} GROUP BY u.{ins.doctor}, u.{ins.item}
@text
SELECT e.{staff.name}, y.{order.item}, SUM(y.{order.qty}) AS total
FROM {order} y JOIN {staff} e ON e.{staff.doctor} = y.{order.doctor}
WHERE {order.is:y} GROUP BY e.{staff.name}, y.{order.item} ORDER BY total DESC

== K02 按科室汇总 | per-department × item SUM, by kind
@only drug material ordinary : 三类各一遍
@expect usage department item
SELECT f.{charge.dept}, f.{charge.item}, SUM(f.{charge.amount}) AS total
FROM {charge} f WHERE {charge.is:f} GROUP BY f.{charge.dept}, f.{charge.item}
@text
SELECT k.{dept.name}, y.{order.item}, COUNT(*) AS n
FROM {order} y JOIN {dept} k ON k.{dept.dept} = y.{order.dept}
WHERE {order.is:y} GROUP BY k.{dept.name}, y.{order.item}

== K03 一个品种各医生的用量 | one item by doctor, by kind
@only drug material ordinary : 三类各一遍
@expect usage prescriber item
SELECT f.{charge.doctor}, SUM(f.{charge.qty}) AS total
FROM {charge} f WHERE {charge.is:f} AND f.{charge.item} = {item1} GROUP BY f.{charge.doctor}
@text
SELECT x.{order.doctor} FROM {order} x WHERE {order.is:x} AND x.{order.item} = {item1}
GROUP BY x.{order.doctor} HAVING SUM(x.{order.qty}) > 5

== K04 经派生表、CTE 汇总 | through a derived table and a CTE, by kind
@only drug material ordinary : 三类各一遍
@expect usage prescriber item
SELECT t.d, t.i, SUM(t.q) AS total FROM (
  SELECT f.{charge.doctor} AS d, f.{charge.item} AS i, f.{charge.qty} AS q
  FROM {charge} f WHERE {charge.is:f}) t
GROUP BY t.d, t.i
@text
WITH t AS (SELECT u.{ins.doctor} AS d, u.{ins.item} AS i, u.{ins.qty} AS q FROM {ins} u WHERE {ins.is:u})
SELECT t.d, t.i, SUM(t.q) AS total FROM t GROUP BY t.d, t.i

== K05 逐条明细 | rows of use, by kind
@only drug material ordinary : 三类各一遍
@expect usage detail item
SELECT y.{order.doctor}, y.{order.patient}, y.{order.item}, y.{order.qty}, y.{order.day}
FROM {order} y WHERE {order.is:y}
