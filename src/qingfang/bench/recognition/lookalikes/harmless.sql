== N04 盘点 | stock-taking
@expect none
SELECT k.{stock.item}, SUM(k.{stock.onhand}) AS n FROM {stock} k GROUP BY k.{stock.item}
@text
SELECT d.{drug.name}, k.{stock.batch}, k.{stock.onhand}, k.{stock.onhand} * d.{drug.price} AS worth
FROM {stock} k JOIN {drug} d ON d.{drug.item} = k.{stock.item} WHERE k.{stock.onhand} > 0
@text
SELECT g.{ledger.item}, SUM(g.{ledger.qty}) AS moved FROM {ledger} g
WHERE g.{ledger.day} >= {day:2026-01-01} GROUP BY g.{ledger.item}

== N07 科室收入，不分药品 | revenue by department
@expect none
SELECT f.{charge.dept}, SUM(f.{charge.amount}) AS fee FROM {charge} f GROUP BY f.{charge.dept}
@text
SELECT k.{dept.name}, COUNT(DISTINCT f.{charge.visit}) AS visits, SUM(f.{charge.amount}) AS fee
FROM {charge} f JOIN {dept} k ON k.{dept.dept} = f.{charge.dept}
WHERE f.{charge.day} BETWEEN {day:2026-01-01} AND {day:2026-01-31} GROUP BY k.{dept.name}

== N08 医生接诊人次 | doctor workload: visits
@expect none
SELECT c.{rx.doctor}, COUNT(*) AS n FROM {rx} c WHERE c.{rx.day} >= {day:2026-01-01} GROUP BY c.{rx.doctor}
@text
SELECT g.{reg.doctor}, COUNT(DISTINCT g.{reg.patient}) AS n FROM {reg} g GROUP BY g.{reg.doctor}
@text
SELECT e.{staff.name}, COUNT(DISTINCT c.{rx.patient}) AS patients, COUNT(DISTINCT c.{rx.id}) AS sheets
FROM {rx} c JOIN {staff} e ON e.{staff.doctor} = c.{rx.doctor}
GROUP BY e.{staff.name} ORDER BY patients DESC

== N24 医生挂号量 | registrations per doctor
@expect none
SELECT e.{staff.name}, COUNT(*) AS n, SUM(g.{reg.fee}) AS fee FROM {reg} g
JOIN {staff} e ON e.{staff.doctor} = g.{reg.doctor} GROUP BY e.{staff.name}

== N25 检查检验开单量 | examination orders per doctor
@expect none
SELECT l.{lab.doctor}, l.{lab.test}, COUNT(*) AS n FROM {lab} l GROUP BY l.{lab.doctor}, l.{lab.test}
@text
SELECT e.{staff.name}, SUM(l.{lab.fee}) AS fee FROM {lab} l
JOIN {staff} e ON e.{staff.doctor} = l.{lab.doctor} JOIN {reg} g ON g.{reg.patient} = l.{lab.patient}
WHERE l.{lab.day} >= {day:2026-01-01} GROUP BY e.{staff.name}

== N26 监控心跳 | health check
@expect none
@text oracle
SELECT 1 FROM DUAL
@text tsql mysql postgres
SELECT 1

== N27 数据库维护 | optimiser statistics, index rebuild
@expect none
@text oracle
ALTER INDEX IX_1 REBUILD
@text tsql
UPDATE STATISTICS {line}
@text mysql
ANALYZE TABLE {line}
@text postgres
ANALYZE {line}

== N28 登录加载字典 | dictionaries loaded at login
@expect none
SELECT d.{drug.item}, d.{drug.name}, d.{drug.spec}, d.{drug.price} FROM {drug} d
;;
SELECT e.{staff.doctor}, e.{staff.name}, e.{staff.dept} FROM {staff} e
@text
SELECT e.{staff.doctor}, e.{staff.name}, k.{dept.name} FROM {staff} e
JOIN {dept} k ON k.{dept.dept} = e.{staff.dept} ORDER BY k.{dept.name}

== N29 调价 | price change
@expect none
UPDATE {drug} SET {drug.price} = {drug.price} * 0.95 WHERE {drug.item} = {item1}

== N30 开处方写入 | a prescription is written
@expect none
INSERT INTO {line} ({line.row}, {line.rx}, {line.item}, {line.qty}) VALUES (9001, {rx12#}, {item1}, 2)
@text
INSERT INTO {rx} ({rx.id}, {rx.patient}, {rx.doctor}, {rx.dept}, {rx.day}, {rx.state})
VALUES ({rx999#}, {patient1}, {doctor1}, {dept1}, {day:2026-01-20}, 0)
@text
UPDATE {rx} SET {rx.state} = 1 WHERE {rx.id} = {rx12#}

== N33 耗材库存 | stock by item
@only material : 只关耗材；药品见 N04
@expect none
SELECT k.{stock.item}, m.{material.name}, k.{stock.onhand} FROM {stock} k
JOIN {material} m ON m.{material.item} = k.{stock.item} WHERE k.{stock.onhand} < 20

== N38 次均费用 | average value of a visit
@expect none
SELECT f.{charge.dept}, SUM(f.{charge.amount}) / COUNT(DISTINCT f.{charge.visit}) AS avg_fee
FROM {charge} f WHERE f.{charge.day} >= {day:2026-01-01} GROUP BY f.{charge.dept}
@text
SELECT AVG(t.fee) AS avg_fee FROM (SELECT f.{charge.visit} AS v, SUM(f.{charge.amount}) AS fee
FROM {charge} f WHERE f.{charge.dept} = {dept1} GROUP BY f.{charge.visit}) t

== N39 近效期预警 | expiry warning
@expect none
SELECT k.{stock.item}, k.{stock.batch}, k.{stock.expiry} FROM {stock} k WHERE k.{stock.onhand} > 0 AND k.{stock.expiry} < {day:2026-06-30}
