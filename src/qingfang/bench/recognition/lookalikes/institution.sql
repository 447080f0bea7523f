== N05 采购计划按品种消耗 | purchase plan: consumption per item
@expect usage institution item
@context 全院粒度，记录不告警
SELECT m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.day} >= {day:2026-01-01} GROUP BY m.{line.item}
@text
SELECT d.{drug.name}, d.{drug.maker}, SUM(m.{line.amount}) AS total FROM {line} m
JOIN {drug} d ON d.{drug.item} = m.{line.item} GROUP BY d.{drug.name}, d.{drug.maker} HAVING SUM(m.{line.amount}) > 100

== N19 药品召回追溯病人 | recall: patients who got an item
@expect usage institution item
@context 只列病人，全院粒度，记录不告警
SELECT DISTINCT c.{rx.patient} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.batch} = {batch10} AND c.{rx.day} >= {day:2026-01-10}

== N37 全院金额前 20 | top 20 items of the institution
@expect usage institution item
@context 全院粒度，记录不告警
@text oracle
SELECT m.{line.item}, SUM(m.{line.amount}) AS s FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY m.{line.item} ORDER BY s DESC FETCH FIRST 20 ROWS ONLY
@text tsql
SELECT TOP 20 m.{line.item}, SUM(m.{line.amount}) AS s FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY m.{line.item} ORDER BY s DESC
@text mysql postgres
SELECT m.{line.item}, SUM(m.{line.amount}) AS s FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
GROUP BY m.{line.item} ORDER BY s DESC LIMIT 20
