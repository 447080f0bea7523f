== T18 批量明细导出后另行透视 | bulk detail, pivoted later
@expect usage detail item
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}, c.{rx.day}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.day} >= {day:2026-01-01} AND c.{rx.day} <= {day:2026-03-31}
@text
SELECT y.{order.doctor}, y.{order.item}, y.{order.name}, y.{order.qty}
FROM {order} y WHERE {order.is:y}
@text
SELECT f.{charge.patient}, f.{charge.item}, f.{charge.qty}, f.{charge.doctor}, f.{charge.day}
FROM {charge} f WHERE {charge.is:f} AND f.{charge.dept} IN ({dept1}, {dept2}, {dept3})

== T19 按药名查处方明细逐条打印 | one item, a period, list printed
@expect usage detail item
SELECT c.{rx.patient}, c.{rx.doctor}, m.{line.qty}, c.{rx.day}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.day} >= {day:2026-01-01}
@text
SELECT c.{rx.doctor}, c.{rx.day}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
JOIN {drug} d ON d.{drug.item} = m.{line.item}
WHERE d.{drug.name} = {name1}
@text
SELECT c.{rx.id}, c.{rx.doctor}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} IN (SELECT d.{drug.item} FROM {drug} d WHERE d.{drug.name} LIKE '%乙%' OR d.{drug.maker} = '合成厂1')

== T20 只取代码，字典另查 | codes only, dictionaries fetched separately
@expect none
@session usage detail
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
SELECT {staff.doctor}, {staff.name} FROM {staff}
;;
SELECT {drug.item}, {drug.name} FROM {drug}

== T21 拆分查询，主键离线拼接 | split join key, joined offline
@session usage detail
SELECT m.{line.rx}, m.{line.item}, m.{line.qty} FROM {line} m
;;
SELECT c.{rx.id}, c.{rx.doctor} FROM {rx} c
@text
@session usage detail
@as session=a operator=1001
SELECT c.{rx.id}, c.{rx.doctor} FROM {rx} c WHERE c.{rx.day} >= {day:2026-01-01}
;;
@as session=b operator=1001 at=5h
SELECT m.{line.rx}, m.{line.item}, m.{line.qty} FROM {line} m

== T22 逐医生枚举 | enumeration prescriber by prescriber
@expect usage prescriber item
@session usage prescriber
@each 12
SELECT m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = {doctor*} GROUP BY m.{line.item}
@text
@expect usage prescriber item
@session usage prescriber
@each 12
SELECT COUNT(*) AS n FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = {doctor*} AND m.{line.item} = {item1}
@text
@expect usage detail item
@session usage detail
@each 12
SELECT e.{staff.name}, m.{line.item}, m.{line.qty} FROM {rx} c
JOIN {line} m ON m.{line.rx} = c.{rx.id} JOIN {staff} e ON e.{staff.doctor} = c.{rx.doctor}
WHERE e.{staff.name} = '合成医生0{*}' OR e.{staff.name} = '合成医生1{*}'

== T23 逐病人扫描 | scanning patient by patient
@expect clinical pinned
@session usage detail
@as operator=1002
@each 60 gap=10s
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} WHERE c.{rx.patient} = {patient*}

== T24 分页慢取 | pagination
@expect usage detail item
@text oracle
@session usage detail
@each 8
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
ORDER BY m.{line.row} OFFSET {*x20} ROWS FETCH NEXT 20 ROWS ONLY
@text oracle
@label SQLite 没有 ROWNUM；逐页取回的就是医生、品种、数量
@session usage detail
@each 8
SELECT who, what, q FROM (
  SELECT t.*, ROWNUM rn FROM (
    SELECT c.{rx.doctor} AS who, m.{line.item} AS what, m.{line.qty} AS q
    FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} ORDER BY m.{line.row}) t
  WHERE ROWNUM <= {*x20})
WHERE rn > {*x10}
@text tsql
@session usage detail
@each 8
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
ORDER BY m.{line.row} OFFSET {*x20} ROWS FETCH NEXT 20 ROWS ONLY
@text mysql
@session usage detail
@each 8
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
ORDER BY m.{line.row} LIMIT 20 OFFSET {*x20}
@text postgres
@session usage detail
@each 8
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
ORDER BY m.{line.row} LIMIT 20 OFFSET {*x20}
@text
@session usage detail
@each 8
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.row} > {*x20} AND m.{line.row} <= {*x20} + 20

== T25 慢滴：每天一个医生 | slow drip, one prescriber a day
@expect usage prescriber item
@session usage prescriber
@as operator=1003
@each 12 gap=1d
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = {doctor*} AND m.{line.item} = {item1}

== T26 差分统方（总量减去他人） | differencing
@session usage prescriber
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1}
;;
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.doctor} <> {doctor1}
;;
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.doctor} <> {doctor2}
@text
@session usage prescriber
@each 6
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.doctor} NOT IN ({doctor*})

== T27 布尔探测 | boolean and threshold probing
@expect usage prescriber item
@session usage prescriber
@each 8
SELECT CASE WHEN SUM(m.{line.qty}) > 12 THEN 1 ELSE 0 END AS yes
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = {item1} AND c.{rx.doctor} = {doctor*}
@text
@session usage prescriber
@each 8
SELECT 1 AS yes FROM {staff} e WHERE e.{staff.doctor} = {doctor*} AND EXISTS (
  SELECT 1 FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE c.{rx.doctor} = e.{staff.doctor} AND m.{line.item} = {item1}
  GROUP BY c.{rx.doctor} HAVING COUNT(*) > 2)

== T28 抽样放大 | sampling, then scaled up
@expect usage detail item
@text tsql mysql postgres
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.row} % 3 = 0
@text oracle
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE MOD(m.{line.row}, 3) = 0
@text oracle
@label SQLite 没有 SAMPLE；抽到的每一行都带医生、品种、数量
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} SAMPLE (10) c, {line} m WHERE m.{line.rx} = c.{rx.id}
@text tsql
@label SQLite 没有 TABLESAMPLE；抽到的每一行都带医生、品种、数量
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c TABLESAMPLE (10 PERCENT) JOIN {line} m ON m.{line.rx} = c.{rx.id}
@text postgres
@label 抽样每次不同，无法比对；抽到的每一行都带医生、品种、数量
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c TABLESAMPLE BERNOULLI (10) JOIN {line} m ON m.{line.rx} = c.{rx.id}
@text mysql
@label 抽样每次不同，无法比对；抽到的每一行都带医生、品种、数量
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} WHERE RAND() < 0.1

== T29 模糊条件查询后二次筛选 | vague condition, filtered afterwards
@expect usage detail item
SELECT * FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.day} >= {day:2026-01-01}
@text oracle postgres
SELECT * FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE TO_CHAR(c.{rx.day}, 'YYYY-MM') LIKE '2026-01%'
@text mysql
SELECT * FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.day} LIKE '2026-01%'
@text tsql
SELECT * FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE CONVERT(VARCHAR(10), c.{rx.day}, 120) LIKE '2026-01%'
@text
SELECT m.{line.item}, m.{line.qty}, c.{rx.doctor} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.patient} <> {patient1} AND c.{rx.patient} NOT LIKE '%test%' AND c.{rx.id} = m.{line.rx}

== T30 医生身份变形 | derived identity: hash, initials, phone
@expect usage prescriber item
@text oracle
SELECT ORA_HASH(c.{rx.doctor}) AS who, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY ORA_HASH(c.{rx.doctor}), m.{line.item}
@text tsql
SELECT CHECKSUM(c.{rx.doctor}) AS who, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY CHECKSUM(c.{rx.doctor}), m.{line.item}
@text mysql postgres
SELECT MD5(c.{rx.doctor}) AS who, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY MD5(c.{rx.doctor}), m.{line.item}
@text
SELECT e.{staff.pinyin}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
JOIN {staff} e ON e.{staff.doctor} = c.{rx.doctor}
GROUP BY e.{staff.pinyin}, m.{line.item}
@text
SELECT REPLACE(c.{rx.doctor}, '0', 'x') AS who, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY REPLACE(c.{rx.doctor}, '0', 'x'), m.{line.item}

== T31 以诊室、工作站代替医生 | quasi-identifier of the prescriber
@expect usage prescriber item
SELECT c.{rx.room}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.room}, m.{line.item}
@text
SELECT e.{staff.phone}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
JOIN {staff} e ON e.{staff.doctor} = c.{rx.doctor} WHERE e.{staff.name} <> '合成医生01'
GROUP BY e.{staff.phone}, m.{line.item}

== T32 以价格、批号代替药品 | quasi-identifier of the item
@expect usage prescriber item
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.price} = 3.75 GROUP BY c.{rx.doctor}
@text
SELECT c.{rx.doctor}, m.{line.batch}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.batch}
@text
SELECT c.{rx.doctor}, d.{drug.maker}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} JOIN {drug} d ON d.{drug.item} = m.{line.item}
WHERE d.{drug.spec} = '20mg' GROUP BY c.{rx.doctor}, d.{drug.maker}
