== T01 按医生按药品汇总 | per-doctor × item SUM
@expect usage prescriber item
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.item}
@text
SELECT e.{staff.name}, d.{drug.name}, SUM(m.{line.amount}) AS total
FROM {rx} c
JOIN {line} m ON m.{line.rx} = c.{rx.id}
JOIN {staff} e ON e.{staff.doctor} = c.{rx.doctor}
JOIN {drug} d ON d.{drug.item} = m.{line.item}
WHERE c.{rx.day} >= {day:2026-01-01} AND c.{rx.day} < {day:2026-02-01}
GROUP BY e.{staff.name}, d.{drug.name}
ORDER BY total DESC
@text
SELECT c.{rx.doctor}, m.{line.item},
       SUM(CASE WHEN c.{rx.day} < {day:2026-02-01} THEN m.{line.qty} ELSE 0 END) AS m1,
       SUM(CASE WHEN c.{rx.day} >= {day:2026-02-01} THEN m.{line.qty} ELSE 0 END) AS m2
FROM {line} m LEFT JOIN {rx} c ON c.{rx.id} = m.{line.rx}
GROUP BY c.{rx.doctor}, m.{line.item} HAVING SUM(m.{line.qty}) > 0

== T02 按科室统方 | per-department × item SUM
@expect usage department item
SELECT c.{rx.dept}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.dept}, m.{line.item}
@text
SELECT k.{dept.name}, SUM(m.{line.amount}) AS total
FROM {rx} c
JOIN {line} m ON m.{line.rx} = c.{rx.id}
JOIN {dept} k ON k.{dept.dept} = c.{rx.dept}
WHERE m.{line.item} IN ({item1}, {item2})
GROUP BY k.{dept.name}
@text
@expect usage department item
SELECT e.{staff.dept}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
JOIN {staff} e ON e.{staff.doctor} = c.{rx.doctor}
GROUP BY e.{staff.dept}, m.{line.item}
@text
SELECT y.{order.dept}, y.{order.item}, AVG(y.{order.qty}) AS mean, COUNT(*) AS n
FROM {order} y WHERE {order.is:y} AND y.{order.day} >= {day:2026-01-01}
GROUP BY y.{order.dept}, y.{order.item}

== T03 按张数不按数量 | COUNT of prescriptions instead of SUM
@expect usage prescriber item
SELECT c.{rx.doctor}, COUNT(DISTINCT c.{rx.id}) AS sheets
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor}
@text
SELECT c.{rx.doctor}, COUNT(*) AS sheets
FROM {rx} c
WHERE EXISTS (SELECT 1 FROM {line} m WHERE m.{line.rx} = c.{rx.id} AND m.{line.item} = {item1})
GROUP BY c.{rx.doctor}
@text
SELECT c.{rx.doctor}, COUNT(DISTINCT c.{rx.patient}) AS patients
FROM {rx} c WHERE c.{rx.id} IN (SELECT m.{line.rx} FROM {line} m WHERE m.{line.item} = {item1})
GROUP BY c.{rx.doctor}

== T04 单品种统方（月度打单） | one item, one month, by doctor
@expect usage prescriber item
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.day} BETWEEN {day:2026-01-01} AND {day:2026-01-31}
GROUP BY c.{rx.doctor}
@text
SELECT e.{staff.name}, SUM(m.{line.qty}) AS total
FROM {rx} c, {line} m, {staff} e, {drug} d
WHERE m.{line.rx} = c.{rx.id} AND e.{staff.doctor} = c.{rx.doctor} AND d.{drug.item} = m.{line.item}
  AND d.{drug.name} = {name1} AND c.{rx.day} >= {day:2026-01-01} AND c.{rx.day} <= {day:2026-01-31}
GROUP BY e.{staff.name}

== T05 窗口函数排名 | ranking by a window function
@expect usage prescriber item
SELECT t.who, t.what, RANK() OVER (PARTITION BY t.what ORDER BY t.q DESC) AS place
FROM (SELECT c.{rx.doctor} AS who, m.{line.item} AS what, SUM(m.{line.qty}) AS q
      FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
      GROUP BY c.{rx.doctor}, m.{line.item}) t
@text
SELECT t.who
FROM (SELECT c.{rx.doctor} AS who, ROW_NUMBER() OVER (ORDER BY SUM(m.{line.qty}) DESC) AS place
      FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
      WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor}) t
WHERE t.place <= 3
@text
SELECT t.who, t.what, t.share FROM (
  SELECT c.{rx.doctor} AS who, m.{line.item} AS what,
         SUM(m.{line.qty}) / SUM(SUM(m.{line.qty})) OVER (PARTITION BY m.{line.item}) AS share
  FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  GROUP BY c.{rx.doctor}, m.{line.item}) t
WHERE t.share > 0.05
@text
SELECT t.who, NTILE(4) OVER (ORDER BY t.q) AS quarter
FROM (SELECT c.{rx.doctor} AS who, SUM(m.{line.qty}) AS q
      FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
      WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor}) t

== T06 多维汇总 | ROLLUP, CUBE, GROUPING SETS
@expect usage prescriber item
@text oracle tsql postgres
@label SQLite 没有多维分组；分组列就是医生与品种，各层合计都随之变化
SELECT c.{rx.dept}, c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY ROLLUP (c.{rx.dept}, c.{rx.doctor}, m.{line.item})
@text oracle tsql postgres
@label SQLite 没有多维分组；分组列就是医生与品种，各层合计都随之变化
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.amount}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY GROUPING SETS ((c.{rx.doctor}, m.{line.item}), (m.{line.item}), ())
@text mysql
@label SQLite 没有多维分组；分组列就是医生与品种，各层合计都随之变化
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.item} WITH ROLLUP

== T07 行转列，医生名变列名 | CASE pivot, doctors as columns
@expect usage prescriber item
SELECT m.{line.item},
       SUM(CASE WHEN c.{rx.doctor} = {doctor1} THEN m.{line.qty} ELSE 0 END) AS a,
       SUM(CASE WHEN c.{rx.doctor} = {doctor2} THEN m.{line.qty} ELSE 0 END) AS b,
       SUM(CASE WHEN c.{rx.doctor} = {doctor3} THEN m.{line.qty} ELSE 0 END) AS c
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY m.{line.item}
@text oracle
SELECT m.{line.item},
       SUM(DECODE(c.{rx.doctor}, {doctor1}, m.{line.qty}, 0)) AS a,
       SUM(DECODE(c.{rx.doctor}, {doctor2}, m.{line.qty}, 0)) AS b
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY m.{line.item}
@text oracle
@label SQLite 没有 PIVOT；列名即医生
SELECT * FROM (SELECT c.{rx.doctor} AS who, m.{line.item} AS what, m.{line.qty} AS q
               FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id})
PIVOT (SUM(q) FOR who IN ({doctor1} AS d1, {doctor2} AS d2, {doctor3} AS d3))
@text tsql
@label SQLite 没有 PIVOT；列名即医生
SELECT p.what, p.[{doctor1!}], p.[{doctor2!}]
FROM (SELECT c.{rx.doctor} AS who, m.{line.item} AS what, m.{line.qty} AS q
      FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}) t
PIVOT (SUM(q) FOR who IN ([{doctor1!}], [{doctor2!}])) p
@text mysql
SELECT m.{line.item}, SUM(IF(c.{rx.doctor} = {doctor1}, m.{line.qty}, 0)) AS a,
       SUM(IF(c.{rx.doctor} = {doctor2}, m.{line.qty}, 0)) AS b
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY m.{line.item}
@text postgres
SELECT m.{line.item}, SUM(m.{line.qty}) FILTER (WHERE c.{rx.doctor} = {doctor1}) AS a,
       SUM(m.{line.qty}) FILTER (WHERE c.{rx.doctor} = {doctor2}) AS b
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY m.{line.item}

== T08 标量子查询，没有 GROUP BY | correlated scalar sub-query without GROUP BY
@expect usage prescriber item
SELECT e.{staff.name},
       (SELECT SUM(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
        WHERE c.{rx.doctor} = e.{staff.doctor} AND m.{line.item} = {item1}) AS q
FROM {staff} e
@text
SELECT e.{staff.name},
       CASE WHEN (SELECT COUNT(*) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
                  WHERE c.{rx.doctor} = e.{staff.doctor} AND m.{line.item} = {item1}) >= 2
            THEN 'A' ELSE 'B' END AS class
FROM {staff} e

== T09 DISTINCT 加窗口汇总 | DISTINCT with a window SUM
@expect usage prescriber item
SELECT DISTINCT c.{rx.doctor}, m.{line.item},
       SUM(m.{line.qty}) OVER (PARTITION BY c.{rx.doctor}, m.{line.item}) AS s
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}

== T10 拼成文本导出 | aggregated into text
@expect usage prescriber item
@text oracle
SELECT LISTAGG(t.who || ':' || t.q, ';') WITHIN GROUP (ORDER BY t.who) AS txt
FROM (SELECT c.{rx.doctor} AS who, SUM(m.{line.qty}) AS q
      FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
      WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor}) t
@text oracle
@expect usage detail item
SELECT m.{line.item}, LISTAGG(c.{rx.doctor} || '*' || m.{line.qty}, ',') WITHIN GROUP (ORDER BY c.{rx.id}) AS txt
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY m.{line.item}
@text tsql
SELECT STRING_AGG(CONCAT(t.who, ':', t.q), ';') AS txt
FROM (SELECT c.{rx.doctor} AS who, SUM(m.{line.qty}) AS q
      FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
      WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor}) t
@text tsql
@label SQLite 没有 FOR XML；拼进文本的就是医生和数量
SELECT STUFF((SELECT ',' + c.{rx.doctor} + ':' + CAST(SUM(m.{line.qty}) AS VARCHAR(20))
              FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
              WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor} FOR XML PATH('')), 1, 1, '') AS txt
@text mysql
SELECT GROUP_CONCAT(CONCAT(t.who, ':', t.q) SEPARATOR ';') AS txt
FROM (SELECT c.{rx.doctor} AS who, SUM(m.{line.qty}) AS q
      FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
      WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor}) t
@text postgres
SELECT STRING_AGG(t.who || ':' || t.q, ';') AS txt
FROM (SELECT c.{rx.doctor} AS who, SUM(m.{line.qty}) AS q
      FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
      WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor}) t

== T11 只返回超量医生名单 | HAVING threshold: names only
@expect usage prescriber item
SELECT c.{rx.doctor} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor} HAVING SUM(m.{line.qty}) > 12
@text
SELECT e.{staff.name} FROM {staff} e
WHERE (SELECT SUM(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
       WHERE c.{rx.doctor} = e.{staff.doctor} AND m.{line.item} = {item1}) > 12
@text
SELECT e.{staff.name} FROM {staff} e WHERE e.{staff.doctor} IN (
  SELECT c.{rx.doctor} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor} HAVING COUNT(*) > 3)
@text
SELECT e.{staff.name} FROM {staff} e WHERE NOT EXISTS (
  SELECT 1 FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE c.{rx.doctor} = e.{staff.doctor} AND m.{line.item} = {item1})

== T12 只返回排序名单 | ORDER BY usage: ranking only
@expect usage prescriber item
SELECT c.{rx.doctor} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor} ORDER BY SUM(m.{line.qty}) DESC
@text oracle
SELECT c.{rx.doctor} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor} ORDER BY COUNT(*) DESC, c.{rx.doctor} FETCH FIRST 3 ROWS ONLY
@text tsql
SELECT TOP 3 c.{rx.doctor} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor} ORDER BY COUNT(*) DESC, c.{rx.doctor}
@text mysql postgres
SELECT c.{rx.doctor} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor} ORDER BY COUNT(*) DESC, c.{rx.doctor} LIMIT 3

== T13 住院医嘱统方 | in-patient orders instead of prescriptions
@expect usage prescriber item
SELECT y.{order.doctor}, y.{order.item}, SUM(y.{order.qty}) AS total
FROM {order} y WHERE {order.is:y} GROUP BY y.{order.doctor}, y.{order.item}
@text
SELECT e.{staff.name}, y.{order.name}, COUNT(*) AS times
FROM {order} y JOIN {staff} e ON e.{staff.doctor} = y.{order.doctor}
WHERE y.{order.name} LIKE '合成%' AND {order.is:y}
GROUP BY e.{staff.name}, y.{order.name}
@text
SELECT y.{order.doctor},
       SUM(CASE WHEN {order.is:y} THEN y.{order.qty} ELSE 0 END) AS used, COUNT(*) AS orders
FROM {order} y WHERE y.{order.item} = {item2} GROUP BY y.{order.doctor}

== T14 费用明细统方 | the charge table instead of the prescription table
@expect usage prescriber item
SELECT f.{charge.doctor}, f.{charge.item}, SUM(f.{charge.amount}) AS total
FROM {charge} f WHERE {charge.is:f} GROUP BY f.{charge.doctor}, f.{charge.item}
@text
SELECT f.{charge.doctor}, SUM(f.{charge.amount}) AS total
FROM {charge} f WHERE f.{charge.item} IN ({item1}, {item2}, {item3}) GROUP BY f.{charge.doctor}
@text
SELECT e.{staff.name}, d.{drug.name}, SUM(f.{charge.qty}) AS n
FROM {charge} f JOIN {drug} d ON d.{drug.item} = f.{charge.item}
JOIN {staff} e ON e.{staff.doctor} = f.{charge.doctor}
GROUP BY e.{staff.name}, d.{drug.name}

== T15 高值耗材统方 | high-value consumables per operator
@only material : 只关高值耗材；药品的同形语句是 T01
@expect usage prescriber item
SELECT c.{use.doctor}, m.{use_line.item}, SUM(m.{use_line.qty}) AS total
FROM {use} c JOIN {use_line} m ON m.{use_line.rx} = c.{use.id}
GROUP BY c.{use.doctor}, m.{use_line.item}
@text
SELECT e.{staff.name}, g.{material.maker}, SUM(m.{use_line.amount}) AS total
FROM {use} c JOIN {use_line} m ON m.{use_line.rx} = c.{use.id}
JOIN {material} g ON g.{material.item} = m.{use_line.item}
JOIN {staff} e ON e.{staff.doctor} = c.{use.doctor}
WHERE g.{material.name} = {name1}
GROUP BY e.{staff.name}, g.{material.maker}

== T16 发药表、医保上传表统方 | dispensing table or insurance-upload copy
@expect usage prescriber item
SELECT u.{ins.doctor}, u.{ins.item}, SUM(u.{ins.qty}) AS total
FROM {ins} u WHERE {ins.is:u} GROUP BY u.{ins.doctor}, u.{ins.item}
@text
@only drug : 发药表只有药品
SELECT f.{disp.doctor}, f.{disp.item}, SUM(f.{disp.qty}) AS total
FROM {disp} f GROUP BY f.{disp.doctor}, f.{disp.item}
@text
SELECT e.{staff.name}, SUM(u.{ins.amount}) AS total FROM {ins} u
JOIN {drug} d ON d.{drug.item} = u.{ins.item} JOIN {staff} e ON e.{staff.doctor} = u.{ins.doctor}
WHERE d.{drug.name} LIKE '合成%' AND d.{drug.maker} = '合成厂2' GROUP BY e.{staff.name}
@text
@expect usage department item
SELECT g.{ledger.dept}, g.{ledger.item}, SUM(g.{ledger.qty}) AS total FROM {ledger} g
WHERE {ledger.is:g} GROUP BY g.{ledger.dept}, g.{ledger.item}

== T17 历史归档表统方 | history and archive tables
@expect usage prescriber item
SELECT c.{rx.doctor}, m.{line_hist.item}, SUM(m.{line_hist.qty}) AS total
FROM {rx} c JOIN {line_hist} m ON m.{line_hist.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line_hist.item}
@text
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {all} m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.item}
@text
SELECT c.{rx.doctor}, a.{line.item}, SUM(a.{line.qty}) AS total
FROM {rx} c JOIN (SELECT m.{line.rx}, m.{line.item}, m.{line.qty} FROM {line} m
                  UNION ALL SELECT h.{line_hist.rx}, h.{line_hist.item}, h.{line_hist.qty} FROM {line_hist} h) a
  ON a.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, a.{line.item}
