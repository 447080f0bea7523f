== N04 盘点 | stock-taking
@expect none
SELECT k.{stock.item}, SUM(k.{stock.onhand}) AS n FROM {stock} k GROUP BY k.{stock.item}

== N07 科室收入，不分药品 | revenue by department
@expect none
SELECT f.{charge.dept}, SUM(f.{charge.amount}) AS fee FROM {charge} f GROUP BY f.{charge.dept}

== N08 医生接诊人次 | doctor workload: visits
@expect none
SELECT c.{rx.doctor}, COUNT(*) AS n FROM {rx} c WHERE c.{rx.day} >= {day:2026-01-01} GROUP BY c.{rx.doctor}
@text
SELECT g.{reg.doctor}, COUNT(DISTINCT g.{reg.patient}) AS n FROM {reg} g GROUP BY g.{reg.doctor}

== N24 医生挂号量 | registrations per doctor
@expect none
SELECT e.{staff.name}, COUNT(*) AS n, SUM(g.{reg.fee}) AS fee FROM {reg} g
JOIN {staff} e ON e.{staff.doctor} = g.{reg.doctor} GROUP BY e.{staff.name}

== N25 检查检验开单量 | examination orders per doctor
@expect none
SELECT l.{lab.doctor}, l.{lab.test}, COUNT(*) AS n FROM {lab} l GROUP BY l.{lab.doctor}, l.{lab.test}

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

== N29 调价 | price change
@expect none
UPDATE {drug} SET {drug.price} = {drug.price} * 0.95 WHERE {drug.item} = {item1}

== N30 开处方写入 | a prescription is written
@expect none
INSERT INTO {line} ({line.row}, {line.rx}, {line.item}, {line.qty}) VALUES (9001, {rx12#}, {item1}, 2)

== N33 耗材库存 | stock by item
@only material : 只关耗材；药品见 N04
@expect none
SELECT k.{stock.item}, m.{material.name}, k.{stock.onhand} FROM {stock} k
JOIN {material} m ON m.{material.item} = k.{stock.item} WHERE k.{stock.onhand} < 20

== N38 次均费用 | average value of a visit
@expect none
SELECT f.{charge.dept}, SUM(f.{charge.amount}) / COUNT(DISTINCT f.{charge.visit}) AS avg_fee
FROM {charge} f WHERE f.{charge.day} >= {day:2026-01-01} GROUP BY f.{charge.dept}

== N39 近效期预警 | expiry warning
@expect none
SELECT k.{stock.item}, k.{stock.batch}, k.{stock.expiry} FROM {stock} k WHERE k.{stock.onhand} > 0 AND k.{stock.expiry} < {day:2026-06-30}
