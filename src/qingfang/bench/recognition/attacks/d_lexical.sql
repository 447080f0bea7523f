== T59 注释打散 | in-line and version comments
@expect usage prescriber item
SELECT/*x*/c.{rx.doctor},/**/m.{line.item},/* FROM dual */SUM(m.{line.qty}) AS total -- x' FROM
FROM {rx} c JOIN/*--*/{line} m ON m.{line.rx}/**/=/**/c.{rx.id} GROUP/**/BY c.{rx.doctor},m.{line.item}
@text mysql
@label SQLite 不执行版本注释；注释里的列就是药品
SELECT/*x*/c.{rx.doctor},/*!50000 m.{line.item},*/SUM(m.{line.qty})/**/AS total FROM {rx} c
/*!40000 JOIN {line} m ON m.{line.rx} = c.{rx.id} */# x
GROUP BY c.{rx.doctor}, m.{line.item}

== T60 异形空白、大小写、零宽字符 | odd whitespace, case, zero-width characters
@expect usage prescriber item
sElEcT	c.{rx.doctor}	,
m.{line.item}	,sUm(	m.{line.qty}	)	aS	total	fRoM

{rx}	c	jOiN	{line}	m	oN	m.{line.rx}=c.{rx.id}	gRoUp	bY	c.{rx.doctor},m.{line.item}
@text oracle
@label SQLite 不认全角空格；去掉就是 T01
SELECT　c.{rx.doctor},　m.{line.item}, SUM(m.{line.qty})　AS total
FROM　{rx} c JOIN　{line} m ON m.{line.rx} = c.{rx.id} GROUP　BY c.{rx.doctor}, m.{line.item}
@text tsql
@label SQLite 不认不换行空格；去掉就是 T01
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}

== T61 引号、方括号、转义标识符 | quoted, bracketed, escaped identifiers
@expect usage prescriber item
@text oracle
SELECT "C"."{rx.doctor}", "M"."{line.item}", SUM("M"."{line.qty}") AS "N"
FROM {rx} "C", {line} "M" WHERE "M"."{line.rx}" = "C"."{rx.id}"
GROUP BY "C"."{rx.doctor}", "M"."{line.item}"
@text tsql
SELECT [c].[{rx.doctor}], [m].[{line.item}], SUM([m].[{line.qty}]) AS [n]
FROM [dbo].[{rx}] AS [c] JOIN [dbo].[{line}] AS [m] ON [m].[{line.rx}] = [c].[{rx.id}]
GROUP BY [c].[{rx.doctor}], [m].[{line.item}]
@text mysql
SELECT `c`.`{rx.doctor}`, `m`.`{line.item}`, SUM(`m`.`{line.qty}`) AS `n`
FROM `{rx}` `c` JOIN `{line}` `m` ON `m`.`{line.rx}` = `c`.`{rx.id}`
GROUP BY `c`.`{rx.doctor}`, `m`.`{line.item}`
@text postgres
SELECT "c"."{rx.doctor}", "m"."{line.item}", SUM("m"."{line.qty}") AS "n"
FROM "{rx}" AS "c" JOIN "{line}" AS "m" ON "m"."{line.rx}" = "c"."{rx.id}"
GROUP BY "c"."{rx.doctor}", "m"."{line.item}"
@text postgres
@label SQLite 不认 U& 标识符；去掉转义就是 T01
SELECT c.{rx.doctor}, m.{escaped:line.item}, SUM(m.{escaped:line.qty}) AS n
FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}

== T62 序号分组、逗号连接、不写别名 | ordinals, comma join, no aliases
@expect usage prescriber item
@text mysql postgres
SELECT {rx.doctor}, {line.item}, SUM({line.qty}) FROM {rx}, {line}
WHERE {line}.{line.rx} = {rx}.{rx.id} GROUP BY 1, 2
@text oracle tsql
SELECT {rx.doctor}, {line.item}, SUM({line.qty}) FROM {rx}, {line}
WHERE {line}.{line.rx} = {rx}.{rx.id} GROUP BY {rx.doctor}, {line.item} ORDER BY 3 DESC

== T63 字面量编码 | disguised literals
@expect usage prescriber item
@text oracle
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total FROM {rx} c, {line} m
WHERE m.{line.rx} = c.{rx.id} AND m.{line.item} = REPLACE('#{item1!}', CHR(35), '') GROUP BY c.{rx.doctor}
@text tsql
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = REPLACE('~{item1!}', CHAR(126), '') GROUP BY c.{rx.doctor}
@text mysql
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = CONCAT(LEFT('{item1!}', 2), SUBSTRING('{item1!}', 3)) GROUP BY c.{rx.doctor}
@text mysql
@hex ITEM
{item1!}
;;
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = 0x{ITEM} GROUP BY c.{rx.doctor}
@text postgres
SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE m.{line.item} = REVERSE(REVERSE('{item1!}')) GROUP BY c.{rx.doctor}

== T64 算术伪装 | arithmetic disguise of SUM
@expect usage prescriber item
SELECT c.{rx.doctor}, m.{line.item}, AVG(m.{line.qty}) * COUNT(*) AS n
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
@text
SELECT c.{rx.doctor}, m.{line.item}, -MIN(-m.{line.qty}) AS n, COUNT(m.{line.amount} / m.{line.qty}) AS k
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
@text
SELECT c.{rx.doctor}, COUNT(CASE WHEN m.{line.item} = {item1} THEN 1 END) * 100.0 / COUNT(*) AS pct
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}
@text
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.amount} / m.{line.price}) AS n
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}

== T65 超长 SQL 截断 | over-long statement, padding before the payload
@expect usage prescriber item
/* {padding} */ SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}

== T66 多语句批，最后一条才是 | batch of statements, payload last
@not oracle : 一次只收一条语句；一块里多条见 T47
@expect usage prescriber item
SELECT 1; SELECT COUNT(*) FROM {reg}; SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
@text tsql
@label T-SQL 批在这里不能执行；后一句就是 T01
DECLARE @n INT
SELECT @n = COUNT(*) FROM {reg}
IF @n > 0
BEGIN
  SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
  FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
END

== T67 GBK 宽字节 | GBK wide-byte escaping
@not oracle tsql postgres : 字符串里的反斜杠不是转义
@expect usage detail item
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.patient} = '縗' OR 1=1 -- '
@text
@expect opaque
@label 服务器按哪种字符集读才知道引号在哪里结束；半个汉字后面的反斜杠说不准
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.patient} = '�\' OR 1=1 -- '

== T68 故意使解析失败的方言语法 | vendor syntax that defeats parsers
@expect opaque
@text oracle
@label SQLite 没有 MODEL；算出来的就是各医生的用量
SELECT who, what, q FROM (SELECT c.{rx.doctor} AS who, m.{line.item} AS what, SUM(m.{line.qty}) AS q
FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item})
MODEL PARTITION BY (who) DIMENSION BY (what) MEASURES (q) RULES (q[ANY] = q[CV()])
@text oracle
@expect usage prescriber item
@label SQLite 没有 MATCH_RECOGNIZE；各医生的用量
SELECT * FROM (SELECT c.{rx.doctor} AS who, c.{rx.day} AS d, m.{line.item} AS what, m.{line.qty} AS q FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id})
MATCH_RECOGNIZE (PARTITION BY who, what ORDER BY d MEASURES SUM(a.q) AS total ONE ROW PER MATCH PATTERN (a+) DEFINE a AS a.q > 0)
@text tsql
@expect usage detail item
@label 旧式外连接与 COMPUTE；各医生的用量
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty} FROM {rx} c, {line} m WHERE c.{rx.id} *= m.{line.rx}
ORDER BY c.{rx.doctor} COMPUTE SUM(m.{line.qty}) BY c.{rx.doctor}
@text mysql
@expect usage detail item
@label HANDLER 不经过解析直接读表
HANDLER {line} OPEN
;;
HANDLER {line} READ FIRST LIMIT 100000
@text postgres
@expect usage prescriber item
@label psql 以外少见的写法；各医生的用量
TABLE {rx}
;;
SELECT (x).* FROM (SELECT ROW(c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty})) AS x
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}) t
