== N09 药占比（科室） | drug-cost ratio by department
@expect usage department total
@context 登记过的报表菜单
SELECT f.{charge.dept},
       SUM(CASE WHEN {charge.is:f} THEN f.{charge.amount} ELSE 0 END) / SUM(f.{charge.amount}) AS ratio
FROM {charge} f GROUP BY f.{charge.dept}

== N10 抗菌药物使用强度（已审批） | class use by department, approved
@expect usage department class
@context 批准过的人、终端、范围、时段
SELECT c.{rx.dept}, SUM(m.{line.qty}) AS total FROM {rx} c
JOIN {line} m ON m.{line.rx} = c.{rx.id} JOIN {drug} d ON d.{drug.item} = m.{line.item}
WHERE d.{drug.class} = {class1} GROUP BY c.{rx.dept}

== N11 抗菌药物医生排名（已审批） | class use by prescriber, approved
@expect usage prescriber class
@context 批准过的人、终端、范围、时段
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total FROM {rx} c
JOIN {line} m ON m.{line.rx} = c.{rx.id} JOIN {drug} d ON d.{drug.item} = m.{line.item}
WHERE d.{drug.class} = {class1} GROUP BY c.{rx.doctor} ORDER BY total DESC

== N12 处方点评抽样 100 张 | review sample of 100 prescriptions
@expect usage detail item
@context 批准过的人、终端、范围、时段
@text oracle
SELECT * FROM (SELECT c.{rx.id}, c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} ORDER BY DBMS_RANDOM.VALUE) WHERE ROWNUM <= 100
@text tsql
SELECT TOP 100 c.{rx.id}, c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} ORDER BY NEWID()
@text mysql
SELECT c.{rx.id}, c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} ORDER BY RAND() LIMIT 100
@text postgres
SELECT c.{rx.id}, c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} ORDER BY random() LIMIT 100

== N13 ETL 夜间抽取 | nightly ETL copy
@expect usage detail item
@context 登记过的程序、主机、时段
SELECT m.* FROM {line} m JOIN {rx} c ON c.{rx.id} = m.{line.rx} WHERE c.{rx.day} = {day:2026-01-20}

== N14 例行备份 | routine backup
@context 登记过的备份账号与主机
@text mysql
@expect usage detail item
SELECT /*!40001 SQL_NO_CACHE */ * FROM `{line}`
@text postgres
@expect usage detail item
COPY {line} TO STDOUT
@text tsql
@expect opaque
BACKUP DATABASE his TO DISK = 'D:\bak\his.bak' WITH COMPRESSION
@text oracle
@expect usage detail item
SELECT /*+ FULL(m) */ * FROM {line} m

== N15 向监管平台上传一张处方 | real-time upload of one prescription
@expect clinical pinned
@context 登记过的上传服务；一张接一张不算扫描
SELECT c.{rx.id}, c.{rx.doctor}, m.{line.item}, m.{line.qty}, m.{line.amount}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} WHERE c.{rx.id} = {rx17#}

== N16 医生查本人本月用药 | a doctor's own figures
@expect usage prescriber item
@context 查询者就是这位医生
SELECT m.{line.item}, SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = {doctor3} AND c.{rx.day} >= {day:2026-01-01} GROUP BY m.{line.item}

== N18 麻精药品专册 | narcotics register
@expect usage detail item
@context 法定专册，登记过的报表菜单
SELECT c.{rx.patient}, c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c
JOIN {line} m ON m.{line.rx} = c.{rx.id} JOIN {drug} d ON d.{drug.item} = m.{line.item}
WHERE d.{drug.class} = {class1}

== N22 科室领药月结 | ward stock issue per department
@expect usage department item
@context 登记过的报表菜单
SELECT g.{ledger.dept}, g.{ledger.item}, SUM(g.{ledger.qty}) AS total FROM {ledger} g
WHERE {ledger.is:g} GROUP BY g.{ledger.dept}, g.{ledger.item}

== N35 科研取数（医生去标识，已审批） | approved research extract
@expect usage detail item
@context 批准过的人、终端、范围、时段
SELECT c.{rx.patient}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.day} >= {day:2026-01-01}

== N36 飞检取数（已审批） | insurance inspection, approved
@expect usage prescriber item
@context 批准过的人、终端、范围、时段
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.amount}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} IN ({doctor1}, {doctor2}) GROUP BY c.{rx.doctor}, m.{line.item}

== N40 绩效核算：医生总金额，不分药品 | performance pay: total amount per doctor
@expect none
@context 登记过的报表菜单；混合费用表的总和不含药品限定
SELECT f.{charge.doctor}, SUM(f.{charge.amount}) AS total FROM {charge} f
WHERE f.{charge.day} >= {day:2026-01-01} GROUP BY f.{charge.doctor}

== N42 版本升级验证 | upgrade test in a change window
@expect usage detail item
@context 工单内的厂商人员
@text oracle
SELECT * FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} WHERE ROWNUM <= 10
@text tsql
SELECT TOP 10 * FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
@text mysql postgres
SELECT * FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} LIMIT 10
