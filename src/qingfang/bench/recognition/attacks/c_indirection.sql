== T33 建视图再查 | a view, then an innocent select
@expect usage prescriber item
CREATE VIEW v_rep AS SELECT c.{rx.doctor} AS a, m.{line.item} AS b, SUM(m.{line.qty}) AS n
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
SELECT * FROM v_rep
@text
@view v_daily_check
SELECT c.{rx.doctor} AS k1, m.{line.item} AS k2, SUM(m.{line.qty}) AS v
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
SELECT * FROM v_daily_check WHERE v > 3
@text
CREATE VIEW v_one AS SELECT c.{rx.doctor} AS k, m.{line.qty} AS v, m.{line.item} AS i
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
SELECT x.k, COUNT(*) AS n FROM v_one x WHERE x.i = {item1} AND x.v > 2 GROUP BY x.k

== T34 多层视图 | nested views with neutral names
@expect usage prescriber item
CREATE VIEW v_a AS SELECT c.{rx.id} AS x1, c.{rx.doctor} AS x2 FROM {rx} c
;;
CREATE VIEW v_b AS SELECT a.x2 AS y1, m.{line.item} AS y2, m.{line.qty} AS y3
FROM v_a a JOIN {line} m ON m.{line.rx} = a.x1
;;
SELECT b.y1, b.y2, SUM(b.y3) AS y4 FROM v_b b GROUP BY b.y1, b.y2

== T35 临时表中转 | temporary table, then aggregated
@expect usage prescriber item
@text mysql
CREATE TEMPORARY TABLE t1 AS SELECT c.{rx.doctor} AS a, m.{line.item} AS b, m.{line.qty} AS n
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
SELECT t.a, t.b, SUM(t.n) AS total FROM t1 t GROUP BY t.a, t.b
@text postgres
CREATE TEMP TABLE t1 AS SELECT c.{rx.doctor} AS a, m.{line.item} AS b, m.{line.qty} AS n
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
SELECT t.a, t.b, SUM(t.n) AS total FROM t1 t GROUP BY t.a, t.b
@text tsql
SELECT c.{rx.doctor} AS a, m.{line.item} AS b, m.{line.qty} AS n INTO #t1
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
SELECT t.a, t.b, SUM(t.n) AS total FROM #t1 t GROUP BY t.a, t.b
@text oracle
CREATE GLOBAL TEMPORARY TABLE t1 ON COMMIT PRESERVE ROWS AS
SELECT c.{rx.doctor} AS a, m.{line.item} AS b, m.{line.qty} AS n
FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id}
;;
SELECT t.a, t.b, SUM(t.n) AS total FROM t1 t GROUP BY t.a, t.b

== T36 多级临时表改名 | a chain of temporary tables with renames
@expect usage prescriber item
@text mysql
CREATE TEMPORARY TABLE s1 AS SELECT c.{rx.id} AS p, c.{rx.doctor} AS q FROM {rx} c
;;
CREATE TEMPORARY TABLE s2 AS SELECT s.q AS u, m.{line.item} AS v, m.{line.qty} AS w
FROM s1 s JOIN {line} m ON m.{line.rx} = s.p
;;
CREATE TEMPORARY TABLE s3 AS SELECT u AS f1, v AS f2, w AS f3 FROM s2
;;
SELECT f1, f2, SUM(f3) AS n FROM s3 GROUP BY f1, f2
@text postgres
CREATE TEMP TABLE s1 AS SELECT c.{rx.id} AS p, c.{rx.doctor} AS q FROM {rx} c
;;
CREATE TEMP TABLE s2 AS SELECT s.q AS u, m.{line.item} AS v, m.{line.qty} AS w
FROM s1 s JOIN {line} m ON m.{line.rx} = s.p
;;
CREATE TEMP TABLE s3 AS SELECT u AS f1, v AS f2, w AS f3 FROM s2
;;
SELECT f1, f2, SUM(f3) AS n FROM s3 GROUP BY f1, f2
@text tsql
SELECT c.{rx.id} AS p, c.{rx.doctor} AS q INTO #s1 FROM {rx} c
;;
SELECT s.q AS u, m.{line.item} AS v, m.{line.qty} AS w INTO #s2
FROM #s1 s JOIN {line} m ON m.{line.rx} = s.p
;;
SELECT u AS f1, v AS f2, w AS f3 INTO #s3 FROM #s2
;;
SELECT f1, f2, SUM(f3) AS n FROM #s3 GROUP BY f1, f2
@text oracle
CREATE TABLE s1 AS SELECT c.{rx.id} AS p, c.{rx.doctor} AS q FROM {rx} c
;;
CREATE TABLE s2 AS SELECT s.q AS u, m.{line.item} AS v, m.{line.qty} AS w
FROM s1 s JOIN {line} m ON m.{line.rx} = s.p
;;
CREATE TABLE s3 AS SELECT u AS f1, v AS f2, w AS f3 FROM s2
;;
SELECT f1, f2, SUM(f3) AS n FROM s3 GROUP BY f1, f2

== T37 写入无关表，他人读取 | INSERT..SELECT into a harmless table, read by someone else
@expect usage prescriber item
@text oracle postgres
@as session=a operator=1001
INSERT INTO {msg} ({msg.text})
SELECT c.{rx.doctor} || '|' || m.{line.item} || '|' || SUM(m.{line.qty})
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
@as session=b operator=1002 at=1d
SELECT {msg.text} FROM {msg}
@text tsql mysql
@as session=a operator=1001
INSERT INTO {msg} ({msg.text})
SELECT CONCAT(c.{rx.doctor}, '|', m.{line.item}, '|', SUM(m.{line.qty}))
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
@as session=b operator=1002 at=1d
SELECT {msg.text} FROM {msg}
@text
@as session=a operator=1001
INSERT INTO {scratch} ({scratch.a}, {scratch.b}, {scratch.c})
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty})
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
@as session=b operator=1002 at=1d
SELECT {scratch.a}, {scratch.b}, {scratch.c} FROM {scratch}

== T38 建永久表保存 | SELECT INTO or CREATE TABLE AS a new permanent table
@expect usage prescriber item stored
@text tsql postgres
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total INTO bf_0120
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
@text oracle mysql
CREATE TABLE bf_0120 AS SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}

== T39 与合法语句 UNION | UNION with a legitimate query
@expect usage prescriber item
SELECT k.{stock.item} AS a, k.{stock.batch} AS b, k.{stock.onhand} AS n FROM {stock} k
UNION ALL
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty})
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
@text
SELECT g.{reg.doctor} AS a, COUNT(*) AS n FROM {reg} g GROUP BY g.{reg.doctor}
UNION ALL
SELECT f.{charge.doctor}, SUM(f.{charge.qty}) FROM {charge} f
WHERE f.{charge.item} = {item3} GROUP BY f.{charge.doctor}

== T40 CTE、递归 CTE | CTE and recursive CTE
@expect usage prescriber item
WITH x AS (SELECT c.{rx.id} AS k, c.{rx.doctor} AS who FROM {rx} c),
     y AS (SELECT m.{line.rx} AS k, m.{line.item} AS what, m.{line.qty} AS q FROM {line} m)
SELECT x.who, y.what, SUM(y.q) AS total FROM x JOIN y ON y.k = x.k GROUP BY x.who, y.what
@text mysql postgres
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3),
     z AS (SELECT c.{rx.doctor} AS who, SUM(m.{line.qty}) AS q
           FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
           WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor})
SELECT n.i, z.who, z.q FROM n CROSS JOIN z
@text oracle tsql
WITH n (i) AS (SELECT 1 AS i FROM {dept} WHERE {dept.dept} = {dept1}
               UNION ALL SELECT n.i + 1 FROM n WHERE n.i < 3),
     z (who, q) AS (SELECT c.{rx.doctor}, SUM(m.{line.qty})
           FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
           WHERE m.{line.item} = {item1} GROUP BY c.{rx.doctor})
SELECT n.i, z.who, z.q FROM n CROSS JOIN z
@text
WITH s AS (SELECT m.{line.rx} AS k, SUM(m.{line.qty}) AS q FROM {line} m
           WHERE m.{line.item} = {item1} GROUP BY m.{line.rx}),
     w AS (SELECT c.{rx.id} AS k, e.{staff.name} AS who FROM {rx} c
           JOIN {staff} e ON e.{staff.doctor} = c.{rx.doctor})
SELECT w.who, SUM(s.q) AS total FROM w JOIN s ON s.k = w.k GROUP BY w.who

== T41 LATERAL、APPLY | LATERAL and APPLY
@expect usage prescriber item
@text tsql oracle
@label SQLite 没有 APPLY；对每位医生求和
SELECT e.{staff.name}, z.q FROM {staff} e CROSS APPLY (
  SELECT SUM(m.{line.qty}) AS q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE c.{rx.doctor} = e.{staff.doctor} AND m.{line.item} = {item1}) z
@text oracle mysql postgres
@label SQLite 没有 LATERAL；对每位医生求和
SELECT e.{staff.name}, z.q FROM {staff} e, LATERAL (
  SELECT SUM(m.{line.qty}) AS q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE c.{rx.doctor} = e.{staff.doctor} AND m.{line.item} = {item1}) z

== T42 自然连接、USING、SELECT * | NATURAL JOIN, USING, SELECT *
@expect usage detail item
@text
SELECT * FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
@text oracle mysql postgres
SELECT * FROM {rx} NATURAL JOIN {line}
@text oracle mysql postgres
@expect usage prescriber item
SELECT {rx.doctor}, {line.item}, SUM({line.qty}) AS total
FROM {rx} JOIN {line} USING ({line.rx}) GROUP BY {rx.doctor}, {line.item}

== T43 同义词 | synonyms
@not mysql postgres : 没有同义词这种对象
@expect usage prescriber item
@label SQLite 没有同义词；指向的就是处方表和明细表
CREATE SYNONYM s1 FOR {line}
;;
CREATE SYNONYM s2 FOR {rx}
;;
SELECT b.{rx.doctor}, a.{line.item}, SUM(a.{line.qty}) AS total
FROM s1 a, s2 b WHERE a.{line.rx} = b.{rx.id} GROUP BY b.{rx.doctor}, a.{line.item}
@text
@label SQLite 没有同义词；指向的就是处方表和明细表
@synonym q1 {line}
@synonym q2 {rx}
SELECT b.{rx.doctor}, a.{line.item}, SUM(a.{line.qty}) AS total
FROM q1 a, q2 b WHERE a.{line.rx} = b.{rx.id} GROUP BY b.{rx.doctor}, a.{line.item}

== T44 数据库链接、外部表 | database link, linked server, foreign table
@expect usage prescriber item
@text oracle
@label 要有另一台服务器；链接名去掉就是 T01
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx}@HISLINK c, {line}@HISLINK m WHERE m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.item}
@text tsql
@label 要有另一台服务器；前缀去掉就是 T01
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM HIS2.hisdb.dbo.{rx} c JOIN HIS2.hisdb.dbo.{line} m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.item}
@text postgres
@label 要有另一台服务器；送过去的文本就是 T01
SELECT t.a, t.b, t.n FROM dblink('host=10.0.0.9 dbname=his',
  'SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}')
AS t(a text, b text, n numeric)
@text mysql
@expect opaque
@label 要有另一台服务器；外部表的列名就是处方表的列名
CREATE TABLE r_1 ({rx.id} VARCHAR(40), {rx.doctor} VARCHAR(40)) ENGINE=FEDERATED CONNECTION='mysql://u@10.0.0.9:3306/his/{rx}'
;;
SELECT r.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM r_1 r JOIN {line} m ON m.{line.rx} = r.{rx.id} GROUP BY r.{rx.doctor}, m.{line.item}

== T45 把语句当文本送到别处执行 | OPENQUERY and other SQL in a string
@not oracle mysql : 没有把整条语句当文本送到别的服务器的函数
@expect usage prescriber item
@text tsql
@label 要有另一台服务器；引号里的文本就是 T01
SELECT * FROM OPENQUERY(HIS2, 'SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}')
@text tsql
@label 要有另一台服务器；引号里的文本就是 T01
SELECT a.* FROM OPENROWSET('SQLNCLI', 'Server=HIS2;Trusted_Connection=yes;', 'SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}') AS a
@text tsql
@label 要有另一台服务器；引号里的文本就是 T01
EXEC ('SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}') AT HIS2
@text postgres
@label 内置 PostgreSQL 没有 XML；引号里的文本就是 T01
SELECT query_to_xml('SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}', true, true, '')

== T46 中性名存储过程 | a stored procedure with a neutral name
@expect usage prescriber item
@text tsql
@label 存储过程在这里不能执行；过程体就是 T04
@procedure sp_rb_07
CREATE PROCEDURE sp_rb_07 @k VARCHAR(20), @b DATE, @e DATE AS
BEGIN
  SET NOCOUNT ON
  SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total
  FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE m.{line.item} = @k AND c.{rx.day} BETWEEN @b AND @e GROUP BY c.{rx.doctor}
END
;;
EXEC sp_rb_07 {item1}, '2026-01-01', '2026-01-31'
@text oracle
@label 存储过程在这里不能执行；过程体就是 T04
@procedure p_rb_07
CREATE OR REPLACE PROCEDURE p_rb_07 (k IN VARCHAR2, b IN DATE, e IN DATE, r OUT SYS_REFCURSOR) IS
BEGIN
  OPEN r FOR SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total
  FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id}
  AND m.{line.item} = k AND c.{rx.day} BETWEEN b AND e GROUP BY c.{rx.doctor};
END;
;;
BEGIN p_rb_07({item1}, {day:2026-01-01}, {day:2026-01-31}, :1); END;
@text mysql
@label 存储过程在这里不能执行；过程体就是 T04
@procedure p_rb_07
CREATE PROCEDURE p_rb_07(IN k VARCHAR(20), IN b DATE, IN e DATE)
BEGIN
  SELECT c.{rx.doctor}, SUM(m.{line.qty}) AS total
  FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE m.{line.item} = k AND c.{rx.day} BETWEEN b AND e GROUP BY c.{rx.doctor};
END
;;
CALL p_rb_07({item1}, '2026-01-01', '2026-01-31')
@text postgres
@label 函数建在目录里，不在执行的库里；函数体就是 T04
@procedure f_rb_07
CREATE FUNCTION f_rb_07(k text, b date, e date) RETURNS TABLE (a text, n numeric) LANGUAGE sql AS $$
  SELECT c.{rx.doctor}, SUM(m.{line.qty})
  FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE m.{line.item} = k AND c.{rx.day} BETWEEN b AND e GROUP BY c.{rx.doctor} $$
;;
SELECT * FROM f_rb_07({item1}, {day:2026-01-01}, {day:2026-01-31})

== T47 动态 SQL 拼接 | dynamic SQL by concatenation
@expect usage prescriber item
@text oracle
@label PL/SQL 块在这里不能执行；拼出来的就是 T01
DECLARE s VARCHAR2(2000); r SYS_REFCURSOR;
BEGIN
  s := 'SELECT c.{rx.doctor}, m.' || '{line.item}, SU' || 'M(m.{line.qty}) FROM ' || '{rx} c, ';
  s := s || '{line} m WHERE c.{rx.id} = m.{line.rx} GROUP' || ' BY c.{rx.doctor}, m.{line.item}';
  OPEN r FOR s;
  DBMS_SQL.RETURN_RESULT(r);
END;
@text tsql
@label T-SQL 批在这里不能执行；拼出来的就是 T01
DECLARE @s NVARCHAR(2000), @t NVARCHAR(40)
SET @t = '{rx}'
SET @s = N'SELECT c.{rx.doctor}, m.' + N'{line.item}, SU' + N'M(m.{line.qty}) FROM ' + @t + N' c JOIN '
SET @s = @s + '{line} m ON m.{line.rx} = c.{rx.id} GROUP' + ' BY c.{rx.doctor}, m.{line.item}'
EXEC (@s)
@text mysql
@label PREPARE 在这里不能执行；拼出来的就是 T01
SET @s = CONCAT('SELECT c.{rx.doctor}, m.{line.item}, SU', 'M(m.{line.qty}) FROM ', '{rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP', ' BY c.{rx.doctor}, m.{line.item}')
;;
PREPARE p FROM @s
;;
EXECUTE p
@text postgres
@expect usage prescriber item stored
DO $$
DECLARE s text := 'INSERT INTO {scratch} SELECT c.{rx.doctor}, m.{line.item}, SU';
BEGIN
  s := s || 'M(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP' || ' BY c.{rx.doctor}, m.{line.item}';
  EXECUTE s;
END $$

== T48 十六进制文本再执行 | SQL text from hexadecimal, then executed
@expect usage prescriber item
@text mysql
@label PREPARE 在这里不能执行；解出来的就是 T01
@hex HEX
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
SET @s = 0x{HEX}
;;
PREPARE p FROM @s
;;
EXECUTE p
@text tsql
@label T-SQL 批在这里不能执行；解出来的就是 T01
@hex HEX
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
DECLARE @s NVARCHAR(4000) = CONVERT(VARCHAR(4000), 0x{HEX})
EXEC sp_executesql @s
@text oracle
@label PL/SQL 块在这里不能执行；解出来的就是 T01
@hex HEX
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS q FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
DECLARE r SYS_REFCURSOR;
BEGIN
  OPEN r FOR UTL_RAW.CAST_TO_VARCHAR2(HEXTORAW('{HEX}'));
  DBMS_SQL.RETURN_RESULT(r);
END;
@text postgres
@expect usage prescriber item stored
@hex HEX
INSERT INTO {scratch} SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS q FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
DO $$ BEGIN EXECUTE convert_from(decode('{HEX}', 'hex'), 'UTF8'); END $$

== T49 绑定变量反复执行 | prepared once, executed with many bound values
@expect usage prescriber item
@text oracle
@session usage prescriber
@binds ["{doctor*!}", "{item1!}"]
@each 12
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = :1 AND m.{line.item} = :2
@text tsql
@session usage prescriber
@binds ["{doctor*!}", "{item1!}"]
@each 12
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = @P1 AND m.{line.item} = @P2
@text mysql
@session usage prescriber
@binds ["{doctor*!}", "{item1!}"]
@each 12
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = ? AND m.{line.item} = ?
@text postgres
@session usage prescriber
@binds ["{doctor*!}", "{item1!}"]
@each 12
SELECT SUM(m.{line.qty}) AS total FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
WHERE c.{rx.doctor} = $1 AND m.{line.item} = $2

== T50 服务端游标逐行取 | server-side cursor, row by row
@not mysql : 游标只能在存储过程里用，见 T46
@expect usage detail item
@text tsql
@label 游标在这里不能执行；取的就是 T18 的行
DECLARE cur CURSOR FOR SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
OPEN cur
;;
@each 3
FETCH NEXT FROM cur
@text postgres
@label 游标要在事务里逐条取；取的就是 T18 的行
BEGIN
;;
DECLARE cur CURSOR FOR SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
;;
@each 3
FETCH 1 FROM cur
@text oracle
@label PL/SQL 块在这里不能执行；取的就是 T18 的行
DECLARE
  CURSOR cur IS SELECT c.{rx.doctor} AS w, m.{line.item} AS i, m.{line.qty} AS q
  FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id};
BEGIN
  FOR r IN cur LOOP
    DBMS_OUTPUT.PUT_LINE(r.w || ',' || r.i || ',' || r.q);
  END LOOP;
END;

== T51 自定义函数返回用量 | a function that returns the figure
@expect usage prescriber item
@text oracle
@label 函数在这里不能执行；函数体对一位医生求和
CREATE FUNCTION f_q(d VARCHAR2) RETURN NUMBER IS n NUMBER;
BEGIN
  SELECT SUM(m.{line.qty}) INTO n FROM {rx} c, {line} m
  WHERE m.{line.rx} = c.{rx.id} AND c.{rx.doctor} = d AND m.{line.item} = {item1};
  RETURN n;
END;
;;
SELECT e.{staff.name}, f_q(e.{staff.doctor}) AS n FROM {staff} e
@text tsql
@label 函数在这里不能执行；函数体对一位医生求和
CREATE FUNCTION dbo.f_q(@d VARCHAR(20)) RETURNS DECIMAL(12,2) AS
BEGIN
  DECLARE @n DECIMAL(12,2)
  SELECT @n = SUM(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE c.{rx.doctor} = @d AND m.{line.item} = {item1}
  RETURN @n
END
;;
SELECT e.{staff.name}, dbo.f_q(e.{staff.doctor}) AS n FROM {staff} e
@text mysql
@label 函数在这里不能执行；函数体对一位医生求和
CREATE FUNCTION f_q(d VARCHAR(20)) RETURNS DECIMAL(12,2) READS SQL DATA
BEGIN
  RETURN (SELECT SUM(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
          WHERE c.{rx.doctor} = d AND m.{line.item} = {item1});
END
;;
SELECT e.{staff.name}, f_q(e.{staff.doctor}) AS n FROM {staff} e
@text postgres
CREATE FUNCTION f_q(d text) RETURNS numeric LANGUAGE sql AS $$
  SELECT SUM(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
  WHERE c.{rx.doctor} = d AND m.{line.item} = {item1} $$
;;
SELECT e.{staff.name}, f_q(e.{staff.doctor}) AS n FROM {staff} e

== T52 触发器长期截留 | a trigger copies each prescription out
@expect usage detail item stored
@text oracle
@label 触发器以后才动作；每开一张处方就抄走一行
CREATE OR REPLACE TRIGGER trg_sync AFTER INSERT ON {line} FOR EACH ROW
BEGIN
  INSERT INTO {scratch} ({scratch.a}, {scratch.b}, {scratch.c})
  SELECT c.{rx.doctor}, :NEW.{line.item}, :NEW.{line.qty} FROM {rx} c WHERE c.{rx.id} = :NEW.{line.rx};
END;
@text tsql
@label 触发器以后才动作；每开一张处方就抄走一行
CREATE TRIGGER trg_sync ON {line} AFTER INSERT AS
BEGIN
  INSERT INTO {scratch} ({scratch.a}, {scratch.b}, {scratch.c})
  SELECT c.{rx.doctor}, i.{line.item}, i.{line.qty} FROM inserted i JOIN {rx} c ON c.{rx.id} = i.{line.rx}
END
@text mysql
@label 触发器以后才动作；每开一张处方就抄走一行
CREATE TRIGGER trg_sync AFTER INSERT ON {line} FOR EACH ROW
INSERT INTO {scratch} ({scratch.a}, {scratch.b}, {scratch.c})
SELECT c.{rx.doctor}, NEW.{line.item}, NEW.{line.qty} FROM {rx} c WHERE c.{rx.id} = NEW.{line.rx}
@text postgres
@label 触发器以后才动作；每开一张处方就抄走一行
CREATE FUNCTION trg_sync() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO {scratch} ({scratch.a}, {scratch.b}, {scratch.c})
  SELECT c.{rx.doctor}, NEW.{line.item}, NEW.{line.qty} FROM {rx} c WHERE c.{rx.id} = NEW.{line.rx};
  RETURN NEW;
END $$
;;
CREATE TRIGGER t_sync AFTER INSERT ON {line} FOR EACH ROW EXECUTE FUNCTION trg_sync()

== T53 定时作业 | a scheduled job runs it at night
@expect usage prescriber item stored
@text mysql
@label 作业以后才动作；动作就是 T01
CREATE EVENT e1 ON SCHEDULE EVERY 1 MONTH DO
INSERT INTO {scratch} SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty})
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
@text oracle
@label 作业以后才动作；动作就是 T01
BEGIN
  DBMS_SCHEDULER.CREATE_JOB(job_name => 'J_SYNC', job_type => 'PLSQL_BLOCK',
    job_action => 'BEGIN INSERT INTO {scratch} SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}; END;',
    repeat_interval => 'FREQ=MONTHLY', enabled => TRUE);
END;
@text tsql
@label 作业以后才动作；动作就是 T01
EXEC msdb.dbo.sp_add_jobstep @job_name = N'rb', @step_name = N's1', @subsystem = N'TSQL', @command = N'INSERT INTO {scratch} SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}'
@text postgres
@label 作业以后才动作；动作就是 T01
SELECT cron.schedule('rb', '0 2 1 * *', 'INSERT INTO {scratch} SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}')

== T54 物化视图 | materialised view, report cube
@not mysql : 没有物化视图
@expect usage prescriber item
@text oracle postgres
@label SQLite 没有物化视图；内容就是 T01
CREATE MATERIALIZED VIEW mv_1 AS SELECT c.{rx.doctor} AS a, m.{line.item} AS b, SUM(m.{line.qty}) AS n
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
SELECT a, b, n FROM mv_1
@text tsql
@label SQLite 没有索引视图；内容就是 T01
CREATE VIEW dbo.mv_1 WITH SCHEMABINDING AS SELECT c.{rx.doctor} AS a, m.{line.item} AS b, SUM(m.{line.qty}) AS n, COUNT_BIG(*) AS k
FROM dbo.{rx} c JOIN dbo.{line} m ON m.{line.rx} = c.{rx.id} GROUP BY c.{rx.doctor}, m.{line.item}
;;
CREATE UNIQUE CLUSTERED INDEX ix_mv_1 ON dbo.mv_1 (a, b)
;;
SELECT a, b, n FROM dbo.mv_1 WITH (NOEXPAND)

== T55 输出为 XML、JSON | output as XML or JSON
@expect usage detail item
@text tsql
@label SQLite 没有 FOR XML；包起来的就是 T18 的行
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} FOR XML PATH('r')
@text tsql
@label SQLite 没有 FOR JSON；包起来的就是 T18 的行
SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id} FOR JSON AUTO
@text oracle
@label SQLite 没有 XMLAGG；包起来的就是 T18 的行
SELECT XMLAGG(XMLELEMENT("r", XMLFOREST(c.{rx.doctor} AS a, m.{line.item} AS b, m.{line.qty} AS q))).GETCLOBVAL() AS x
FROM {rx} c, {line} m WHERE m.{line.rx} = c.{rx.id}
@text oracle
@label SQLite 没有 JSON_ARRAYAGG；包起来的就是 T18 的行
SELECT JSON_ARRAYAGG(JSON_OBJECT('a' VALUE c.{rx.doctor}, 'b' VALUE m.{line.item}, 'q' VALUE m.{line.qty}) RETURNING CLOB) AS x
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
@text mysql
@label SQLite 没有 JSON_ARRAYAGG；包起来的就是 T18 的行
SELECT JSON_ARRAYAGG(JSON_OBJECT('a', c.{rx.doctor}, 'b', m.{line.item}, 'q', m.{line.qty})) AS x
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}
@text postgres
SELECT json_agg(t) AS x FROM (SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}) t
@text postgres
SELECT row_to_json(t) AS x FROM (SELECT c.{rx.doctor}, m.{line.item}, m.{line.qty}
FROM {rx} c JOIN {line} m ON m.{line.rx} = c.{rx.id}) t

== T56 闪回、时态表查询 | flashback and temporal AS OF
@not postgres : 没有闪回查询
@expect usage prescriber item
@text oracle
@label SQLite 没有闪回；去掉时点就是 T01
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} AS OF TIMESTAMP (SYSTIMESTAMP - INTERVAL '60' MINUTE) c
JOIN {line} AS OF TIMESTAMP (SYSTIMESTAMP - INTERVAL '60' MINUTE) m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.item}
@text tsql
@label SQLite 没有时态表；去掉时点就是 T01
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} FOR SYSTEM_TIME AS OF '2026-01-20' AS c
JOIN {line} FOR SYSTEM_TIME AS OF '2026-01-20' AS m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.item}
@text mysql
@label SQLite 没有时态表；去掉时点就是 T01
SELECT c.{rx.doctor}, m.{line.item}, SUM(m.{line.qty}) AS total
FROM {rx} FOR SYSTEM_TIME AS OF TIMESTAMP '2026-01-20 00:00:00' AS c
JOIN {line} FOR SYSTEM_TIME AS OF TIMESTAMP '2026-01-20 00:00:00' AS m ON m.{line.rx} = c.{rx.id}
GROUP BY c.{rx.doctor}, m.{line.item}

== T57 直方图统计泄漏 | optimiser statistics and histograms
@expect opaque
@text postgres
@label 系统目录里的取值样本，不在执行的库里
SELECT attname, most_common_vals, most_common_freqs FROM pg_stats WHERE tablename = '{order}'
@text oracle
@label 系统目录里的取值样本，不在执行的库里
SELECT COLUMN_NAME, ENDPOINT_ACTUAL_VALUE, ENDPOINT_NUMBER FROM DBA_TAB_HISTOGRAMS WHERE TABLE_NAME = 'ORDERS'
@text tsql
@label 系统目录里的取值样本，不在执行的库里
DBCC SHOW_STATISTICS ('{order}', 'ix_doctor_item') WITH HISTOGRAM
@text mysql
@label 系统目录里的取值样本，不在执行的库里
SELECT COLUMN_NAME, HISTOGRAM FROM information_schema.COLUMN_STATISTICS WHERE TABLE_NAME = '{order}'

== T58 日志挖掘、复制槽、变更捕获 | log mining, replication slot, change capture
@expect opaque
@text postgres
@label 读的是日志，不在执行的库里
SELECT data FROM pg_logical_slot_get_changes('s1', NULL, NULL)
@text oracle
@label 读的是日志，不在执行的库里
SELECT SQL_REDO FROM V$LOGMNR_CONTENTS WHERE SEG_NAME = 'RX_DETAIL'
@text tsql
@label 读的是日志，不在执行的库里
SELECT * FROM cdc.fn_cdc_get_all_changes_dbo_{order}(sys.fn_cdc_get_min_lsn('dbo_{order}'), sys.fn_cdc_get_max_lsn(), N'all')
@text tsql
@label 读的是日志，不在执行的库里
SELECT [RowLog Contents 0] FROM fn_dblog(NULL, NULL) WHERE Operation = 'LOP_INSERT_ROWS'
@text mysql
@label 读的是日志，不在执行的库里
SHOW BINLOG EVENTS IN 'mysql-bin.000007'
