"""What each kind of statement does to its session."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_lifeline.core import effects
from django_lifeline.core.effects import (
    Effect,
    Hides,
    effect_of,
    first_keyword,
    made_by,
    touches_no_table,
)

NONE, READ, DML, SAVEPOINT = Effect.NONE, Effect.READ, Effect.DML, Effect.SAVEPOINT
TRANSACTION, COMMITS, SETS = Effect.TRANSACTION, Effect.IMPLICIT_COMMIT, Effect.SETS
PINS, OPAQUE, PREVIOUS = Effect.PINS, Effect.OPAQUE, Effect.USES_PREVIOUS

TABLE = {
    READ: [
        "SELECT 1",
        "SELECT 1;",
        "select `t`.`id`, `t`.`f` FROM `t` WHERE (`t`.`id` IN (%s, %s) AND NOT (`t`.`x` = %s))",
        "SELECT COUNT(*) AS `__count` FROM `t`",
        "SELECT COUNT(DISTINCT a) FROM (SELECT `id` FROM `t`) subquery",
        "SELECT 1 AS `a` FROM `t` WHERE EXISTS(SELECT 1 AS `a` FROM `u`) LIMIT 1",
        "(SELECT `a` FROM `t`) UNION ALL (SELECT `b` FROM `u`) ORDER BY (1) LIMIT 3",
        "WITH `c` AS (SELECT 1) SELECT * FROM `c`",
        "WITH RECURSIVE c (n, m) AS (SELECT 1, 2 UNION ALL SELECT n + 1, m FROM c) SELECT n FROM c",
        "SELECT * FROM (SELECT 1, 2) AS d (a, b)",
        "VALUES ROW(1, 2), ROW(3, 4)",
        "TABLE t ORDER BY a",
        "SELECT a FROM t WHERE a LIKE BINARY %s AND b REGEXP BINARY %s",
        "SELECT CAST(DATE_FORMAT(CONVERT_TZ(`d`, %s, %s), %s) AS DATETIME) FROM `t`",
        "SELECT MAKEDATE(YEAR(`d`), 1) + INTERVAL QUARTER(`d`) QUARTER - INTERVAL 1 QUARTER FROM t",
        "SELECT TIMESTAMPDIFF(MICROSECOND, `a`, `b`), EXTRACT(YEAR FROM `d`) FROM `t`",
        "SELECT CAST(%s AS datetime(6)), CAST(`a` AS char(10)), CONVERT(`a` ^ 1, SIGNED) FROM `t`",
        "SELECT (`a` + INTERVAL %s MICROSECOND), TIMESTAMP(`a`), -(`b`) FROM `t`",
        "SELECT JSON_UNQUOTE(JSON_EXTRACT(`j`, %s)), JSON_CONTAINS_PATH(`j`, 'one', %s) FROM `t`",
        "SELECT j->>'$.a' FROM t WHERE JSON_OVERLAPS(j, %s) AND 3 MEMBER OF (j)",
        "SELECT * FROM JSON_TABLE(%s, '$[*]' COLUMNS (a VARCHAR(10) PATH '$.a', b INT PATH '$'))"
        " AS jt",
        "SELECT GROUP_CONCAT(DISTINCT `a` ORDER BY `a` SEPARATOR ', ') FROM `t`",
        "SELECT RANK() OVER (PARTITION BY `a` ORDER BY `b` DESC), NTILE(4) OVER w FROM t"
        " WINDOW w AS (ORDER BY a)",
        "SELECT * FROM t WHERE MATCH (a, b) AGAINST (%s IN BOOLEAN MODE)",
        "SELECT ST_AsBinary(`p`) FROM `t` WHERE ST_Within(`p`, ST_GeomFromText(%s, 4326, 'axis'))",
        "SELECT a FROM t FORCE INDEX (i) USE INDEX FOR ORDER BY (k) JOIN u USING (a, b) ON (1)",
        "SELECT IF(a, LEFT(b, 1), REPLACE(INSERT(c, 1, 2, d), %s, %s)) FROM t",
        "SELECT NOW(6), UUID(), RAND(), CONNECTION_ID(), DATABASE() FROM DUAL ORDER BY RAND()",
        "SELECT @@wait_timeout, @@session.sql_mode, @@GLOBAL.max_allowed_packet",
        "SELECT VERSION(), @@sql_mode, @@default_storage_engine, @@sql_auto_is_null",
        "SELECT /*+ SET_VAR(sort_buffer_size = 16M) */ a FROM t",
        "SELECT 5--3, 'it''s', 'a\\'b', \"x\"\"y\" -- @x ; GET_LOCK(",
        "SELECT 1 # @x ; GET_LOCK('",
        "SELECT /* @x ; ' */ 1",
        "SELECT 'lock; @x := GET_LOCK(1)', \"FOR UPDATE\", `INTO`, `@x`, `f(`",
        "SELECT a FROM t WHERE `into` = %(into)s AND x = %(update)s",
        "SELECT `füllung`, größe FROM `täfel`",
        "SHOW TABLES",
        "SHOW FULL COLUMNS FROM `t` WHERE Field LIKE %s",
        "SHOW GRANTS FOR 'u'@'h'",
        "DESCRIBE `t`",
        "DESC t",
        "EXPLAIN SELECT 1",
        "EXPLAIN FORMAT=JSON SELECT 1",
        "EXPLAIN UPDATE t SET a = 1",
        "EXPLAIN INSERT INTO t (a) VALUES (1)",
        "EXPLAIN FOR CONNECTION 5",
        "EXPLAIN ANALYZE SELECT 1",
        "ANALYZE FORMAT=JSON SELECT 1",
        "SET STATEMENT max_statement_time = 5 FOR SELECT 1",
    ],
    NONE: [
        "SELECT @x",
        "(SELECT @'x', 1)",
        "SELECT a, @`x` FROM t",
        "SELECT a FROM t WHERE a IN(@x)",
        "SELECT @@x, @y",
        "WITH c AS (SELECT @x) SELECT * FROM c",
        "SELECT SLEEP(1)",
        "SELECT BENCHMARK(10, MD5('x'))",
        "SELECT MASTER_POS_WAIT(%s, %s)",
        "SET GLOBAL max_connections = 10",
        "SET @@global.max_connections = 10",
        "SET PERSIST_ONLY max_connections = 10",
        "SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "KILL 5",
        "",
        " -- nothing\n;",
    ],
    DML: [
        "INSERT INTO t (a) VALUES (@x)",
        "UPDATE t SET a = @x WHERE b = @'y'",
        "INSERT INTO `t` (`a`, `b`) VALUES (%s, %s), (%s, %s)",
        "INSERT IGNORE INTO `db`.`t` (`a`) VALUES (%s)",
        "INSERT LOW_PRIORITY t (a) VALUES (1)",
        'INSERT INTO "t" ("a") VALUES (1)',
        "INSERT INTO t PARTITION (p0, p1) (a) VALUES (1)",
        "INSERT INTO `t` (`a`) VALUES (%s) ON DUPLICATE KEY UPDATE `a` = VALUES(`a`)",
        "INSERT INTO `t` (`a`) VALUES (%s) ON DUPLICATE KEY UPDATE `a` = VALUE(`a`)",
        "INSERT INTO `t` (`a`) VALUES (%s) AS new ON DUPLICATE KEY UPDATE `a` = new.`a`",
        "INSERT INTO t (a, b) VALUES (1, 2) AS n (x, y) ON DUPLICATE KEY UPDATE a = x",
        "INSERT INTO `t` (`a`) VALUES (%s) RETURNING `t`.`id`",
        "INSERT INTO `t` () VALUES ()",
        "INSERT INTO t SELECT a FROM u FOR UPDATE",
        "INSERT INTO `t` (`p`, `b`) VALUES (ST_GeomFromText(%s), _binary %s)",
        "REPLACE INTO t (a) VALUES (1)",
        "REPLACE t SET a = 1",
        "UPDATE `t` SET `a` = (`t`.`a` + %s), `b` = CASE WHEN (`id` = %s) THEN %s ELSE NULL END",
        "UPDATE t SET a = DEFAULT(a)",
        "DELETE FROM `t` WHERE `id` IN (%s)",
        "DELETE t FROM t INNER JOIN u USING (a)",
        "WITH c (a) AS (SELECT 1) DELETE FROM t WHERE a IN (SELECT a FROM c)",
        "SELECT a FROM t FOR UPDATE",
        "SELECT a FROM t FOR  UPDATE OF `t` SKIP LOCKED",
        "SELECT a FROM t FOR UPDATE NOWAIT",
        "SELECT a FROM t FOR SHARE",
        "SELECT a FROM t LOCK IN SHARE MODE",
        "SELECT a FROM t INTO OUTFILE '/tmp/x'",
        "SELECT SETVAL(s, 5)",
        "EXPLAIN ANALYZE DELETE FROM t",
        "ANALYZE UPDATE t SET a = 1",
        "SET STATEMENT sort_buffer_size = 5 FOR DELETE FROM t",
    ],
    DML | PREVIOUS: [
        "INSERT INTO t (a) VALUES (LAST_INSERT_ID())",
        "UPDATE t SET a = LAST_INSERT_ID(a + 1)",
    ],
    DML | OPAQUE: [
        "INSERT INTO t (a) VALUES (my_function(1))",
        "INSERT INTO t SET a = `f`(1)",
        "UPDATE t SET a = db.abs(1)",
        "INSERT INTO t SELECT f (a) FROM u",
        "WITH c AS (SELECT f(1)) DELETE FROM t",
        "LOAD DATA LOCAL INFILE 'x' INTO TABLE t (a)",
        "EXPLAIN INSERT INTO t (a) VALUES (f(1))",
    ],
    DML | PINS: [
        "UPDATE t SET a = (@x := @x + 1)",
        "DELETE FROM t WHERE RELEASE_LOCK('x')",
        "INSERT INTO t VALUES (NEXT VALUE FOR s)",
        "SELECT NEXT VALUE FOR s",
        "SELECT NEXTVAL(s)",
        "SELECT a FROM t INTO @x",
        "SELECT 1, a INTO @x FROM t",
        "SELECT 1 INTO\n@`x`",
    ],
    SAVEPOINT: [
        "SAVEPOINT `s1_x1`",
        "RELEASE SAVEPOINT `s1_x1`",
        "ROLLBACK TO SAVEPOINT `s1_x1`",
        "ROLLBACK WORK TO s",
    ],
    TRANSACTION: [
        "BEGIN",
        "BEGIN WORK",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        "COMMIT",
        "COMMIT AND CHAIN",
        "ROLLBACK",
        "ROLLBACK WORK",
        "SET autocommit=0",
        "SET @@session.autocommit = ON",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET @@transaction_isolation = 'SERIALIZABLE'",
        "SET @@tx_read_only = 1",
    ],
    TRANSACTION | PINS: ["XA START 'x'", "XA RECOVER", "SET autocommit = 0, sql_mode = ''"],
    COMMITS: [
        "CREATE TABLE `t` (`id` bigint AUTO_INCREMENT NOT NULL PRIMARY KEY, KEY `k` (`a`(10)))",
        "CREATE TABLE t AS SELECT COUNT(*) FROM u",
        "CREATE VIEW v AS SELECT f(1)",
        "ALTER TABLE `t` ADD CONSTRAINT `c` FOREIGN KEY (`a`) REFERENCES `u` (`id`)",
        "DROP TABLE `t`",
        "TRUNCATE `t`;",
        "RENAME TABLE a TO b",
        "CREATE INDEX `i` ON `t` ((f(`a`)))",
        "CREATE DEFINER=`u`@`h` VIEW v AS SELECT 1",
        "CREATE USER 'u'@'h' IDENTIFIED BY 'x'",
        'GRANT ALL ON *.* TO "u"@"h"',
        "ANALYZE TABLE t",
        "ANALYZE LOCAL TABLE t",
        "OPTIMIZE TABLE t",
        "UNLOCK TABLES",
        "FLUSH TABLES",
        "LOAD INDEX INTO CACHE t",
        "START REPLICA",
        "SET PASSWORD = 'x'",
        "SET DEFAULT ROLE r TO 'u'@'h'",
        "RELEASE",
        "SOMETHING new",
        "SELECTED",
        "123",
    ],
    COMMITS | PINS: [
        "CREATE TABLE t AS SELECT GET_LOCK('x', 1)",
        "CREATE OR REPLACE TABLE t SELECT @a := 1",
        "LOCK TABLES t WRITE",
        "LOCK INSTANCE FOR BACKUP",
        "FLUSH TABLES WITH READ LOCK",
        "FLUSH TABLES t FOR EXPORT",
        "BACKUP STAGE START",
        "CREATE TABLE t AS SELECT @x",
        "DROP DATABASE a",
        "drop /* it */ schema IF EXISTS `a`",
        "CREATE OR REPLACE DATABASE a",
    ],
    SETS: [
        "SET x = 1",
        "SET sql_auto_is_null = 0",
        "SET FOREIGN_KEY_CHECKS = 0;",
        "SET SESSION sql_mode='ANSI,TRADITIONAL', LOCAL time_zone = \"+00:00\"",
        "SET @@session.sql_mode = ANSI, @@sort_buffer_size = 0x10",
        "SET a = -1.5e3, b = DEFAULT, c = ON",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET LOCAL TRANSACTION READ ONLY",
        "SET transaction_isolation = 'SERIALIZABLE'",
        "SET @@session.transaction_isolation = 'SERIALIZABLE'",
        "SET NAMES utf8mb4",
        "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'",
        "SET CHARACTER SET latin1",
        "SET ROLE r",
        "USE `db`",
        "/*!40101 SET NAMES utf8 */;",
        "/*M!100501 SET x=1 */",
    ],
    PINS: [
        "SELECT @x := 1",
        "SELECT a, @x, GET_LOCK('x', 1) FROM t",
        "SHOW TABLES LIKE @x",
        "SELECT GET_LOCK(%s, 10)",
        "SELECT get_lock ('x', 1), IS_FREE_LOCK('x')",
        "SELECT RELEASE_ALL_LOCKS()",
        "SELECT SQL_CALC_FOUND_ROWS a FROM t",
        "SET @x = 1",
        "SET @x := 1",
        "SET x := 1",
        "SET x = %s",
        "SET x = %(value)s",
        "SET NAMES %s",
        "SET x = @@y",
        "SET x = 1 + 1",
        "SET sql_mode = CONCAT(@@sql_mode, ',ANSI')",
        "SET x = 1, y = %s",
        "SET x = CURRENT_USER",
        "SET GLOBAL a = 1, b = 2",
        "SET a = 1, @@global.b = 2",
        "SET sql_log_bin = 0",
        "SET SESSION gtid_next = 'AUTOMATIC'",
        "SET timestamp = 5",
        "SET insert_id = 5",
        "SET rand_seed1 = 5",
        "SET pseudo_thread_id = 5",
        "SET ROLE r, s",
        "CREATE TEMPORARY TABLE t (a int)",
        "CREATE OR REPLACE TEMPORARY TABLE t AS SELECT 1",
        "DROP TEMPORARY TABLE t",
        "PREPARE s FROM 'SELECT 1'",
        "DEALLOCATE PREPARE s",
        "DROP PREPARE s",
        "HANDLER t OPEN",
    ],
    PINS | PREVIOUS: ["GET DIAGNOSTICS @n = NUMBER"],
    PINS | OPAQUE: ["SET x = f(1)", "DO GET_LOCK('x', 1)"],
    PINS | OPAQUE | COMMITS: ["EXECUTE s", "EXECUTE IMMEDIATE 'SELECT 1'", "CALL p(@x)"],
    OPAQUE: [
        "SELECT f(1)",
        "SELECT `f`(1)",
        "SELECT `db`.`f` (1)",
        "SELECT db . abs(1)",
        'SELECT "f"(1)',
        "SELECT abs2(1)",
        "SELECT 1abs(1)",
        "SELECT $abs(1)",
        "SELECT 10 %sabs(1)",
        "SELECT 10 %(a)sabs(1)",
        "SELECT absü(1)",
        "SELECT ſum(1)",
        "SELECT f/**/(1)",
        "SELECT HIGH_PRIORITY f(1)",
        "SELECT a FROM t FOR SYSTEM_TIME AS OF f(1)",
        "SHOW TABLES WHERE f(1)",
        "EXPLAIN SELECT f(1)",
        "DO 1",
        "SELECT 1; SELECT 2",
        "SELECT 1;; SELECT 2",
        "SET STATEMENT x = f(1) FOR SELECT 1",
    ],
    OPAQUE | COMMITS: [
        "CREATE TABLE t AS SELECT f(1)",
        "CALL p()",
        "CALL p(%s)",
        "BEGIN NOT ATOMIC SELECT 1",
        "SELECT 'never closed",
        "SELECT `never closed",
        "SELECT 1 /* never closed",
        # Read with NO_BACKSLASH_ESCAPES, these use a variable.
        "SELECT '\\', @x, '\\'",
        "SELECT 'C:\\', f(@x), 'D'",
        "SELECT 1; DROP TABLE t",
    ],
    OPAQUE | DML | TRANSACTION: ["INSERT INTO t (a) VALUES (1); COMMIT"],
    OPAQUE | PINS: ["SET x = 1; SELECT 1", "SELECT @x := 1; SELECT 1"],
    PREVIOUS: [
        "SELECT LAST_INSERT_ID()",
        "SELECT LAST_INSERT_ID(5)",
        "SELECT FOUND_ROWS()",
        "SELECT ROW_COUNT ()",
        "SHOW WARNINGS",
        "SHOW WARNINGS LIMIT 5",
        "SHOW ERRORS",
        "SHOW COUNT(*) WARNINGS",
        "SHOW PROFILE",
        "SELECT @@identity",
        "SELECT @@SESSION . last_insert_id",
        "SELECT @@`identity`",
        "SELECT @@warning_count, @@error_count",
        "SELECT LASTVAL(s)",
        "SELECT PREVIOUS VALUE FOR s",
    ],
}
ROWS = [(sql, effect) for effect, statements in TABLE.items() for sql in statements]


@pytest.mark.parametrize(("sql", "effect"), ROWS, ids=[sql[:60] for sql, _ in ROWS])
def test_statement_has_the_effect_of_its_row(sql, effect):
    assert effect_of(sql) == effect


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        ("SELECT /*!50000 SQL_NO_CACHE */ a FROM t", READ),
        ("SELECT a FROM t /*! FOR UPDATE */", DML),
        ("SELECT a /*M!100100 , f(1) */ FROM t", OPAQUE),
        ("SELECT 1 /*!50000 , @x := 1 */", PINS),
        ("/*!40000 SELECT */ 1", COMMITS),
        # The quote is code to one server and a comment to the other.
        ("SELECT 1 /*!99999 ' */ FROM t FOR UPDATE -- '", DML),
        ("SELECT 1 /*!99999 ' */, @x := 1 /* ' */", PINS),
    ],
)
def test_comment_that_some_servers_run_counts_both_ways(sql, effect):
    assert effect_of(sql) == effect


def test_long_statement_is_judged_like_a_short_one_and_not_remembered():
    rows = ", ".join(["(%s, %s, 'it''s', `f`.a)"] * 50_000)
    start = "INSERT INTO `t` (`a`, `b`) VALUES "
    assert effect_of(start + rows) == DML
    assert effect_of(start + rows + ", (f(1), 2)") == DML | OPAQUE
    assert effect_of(start + rows + ", (@x := 1, 2)") == DML | PINS
    assert effect_of(start + rows + "; COMMIT") == DML | OPAQUE | TRANSACTION
    assert effect_of("SELECT a%s, " + "%s, " * 5000 + "a%s, bs(1)") == OPAQUE


# --- Django's own SQL ------------------------------------------------------------------------


def _function_names():
    """Names of all functions that Django's models know; `as_mysql` may rename some."""
    models = importlib.import_module("django.db.models")
    modules = [models.aggregates, models.expressions]
    for info in pkgutil.iter_modules(models.functions.__path__, "django.db.models.functions."):
        modules.append(importlib.import_module(info.name))
    for module in modules:
        # `isinstance` would ask Django's lazy objects, which need settings.
        for kind in (thing for thing in vars(module).values() if issubclass(type(thing), type)):
            if isinstance(getattr(kind, "function", None), str):
                yield kind.function


# What only the other databases call so; Django gives MySQL another name or another expression.
ELSEWHERE = {"RANDOM", "STRING_AGG", "COLLATE", "SHA224", "SHA256", "SHA384", "SHA512", "UUIDV4"}
ELSEWHERE |= {"UUIDV7", "CHR"}


def test_every_function_of_django_is_known():
    names = set(_function_names()) - ELSEWHERE
    assert len(names) > 60
    opaque = {name for name in names if effect_of(f"SELECT {name}(`a`, %s) FROM `t`") != READ}
    assert opaque == set()


def test_every_operator_of_geodjango_is_known():
    names = """
        MBRContains MBROverlaps MBRWithin MBRCoveredBy MBRCovers ST_Contains ST_Crosses ST_Disjoint
        ST_Equals ST_Intersects ST_Overlaps ST_Touches ST_Within ST_Relate ST_AsBinary ST_Collect
        ST_GeomFromText ST_GeomFromWKB ST_Area ST_AsGeoJSON ST_AsText ST_Centroid ST_Difference
        ST_Distance ST_Distance_Sphere ST_Envelope ST_GeoHash ST_GeometryType ST_Intersection
        ST_IsValid ST_Length ST_NumGeometries ST_NumPoints ST_PointOnSurface ST_Simplify ST_SRID
        ST_SymDifference ST_Union ST_X ST_Y ST_PointFromGeoHash ST_Buffer ST_Polygon
    """.split()
    names.remove("ST_Polygon")  # Only SpatiaLite's.
    opaque = {name for name in names if effect_of(f"SELECT {name}(`a`) FROM `t`") != READ}
    assert opaque == set()


# --- laws ------------------------------------------------------------------------------------

# `{}` is where something may stand that does not matter.
PATTERNS = [
    ("SELECT{}a{}FROM{}t{}", READ),
    ("SELECT{}ABS{}({}a{}){}FROM{}t", READ),
    ("SELECT{}f{}({}a{}){}FROM{}t", OPAQUE),
    ("SELECT{}GET_LOCK{}({}a{})", PINS),
    ("SELECT{}a{}FROM{}t{}FOR{}UPDATE{}", DML),
    ("{}INSERT{}INTO{}t{}({}a{}){}VALUES{}({}LAST_INSERT_ID{}(){})", DML | PREVIOUS),
    ("UPDATE{}t{}SET{}a{}={}@x{}:={}1", DML | PINS),
    ("UPDATE{}t{}SET{}a{}={}@x{}", DML),
    ("SET{}SESSION{}a{}={}1{},{}b{}={}DEFAULT{};", SETS),
    ("SET{}NAMES{}utf8", SETS),
    ("SET{}SESSION{}TRANSACTION{}READ{}ONLY", SETS),
    ("{}ROLLBACK{}TO{}SAVEPOINT{}s", SAVEPOINT),
    ("{}ROLLBACK{}WORK{}", TRANSACTION),
    ("CREATE{}TEMPORARY{}TABLE{}t{}({}a{}int{})", PINS),
    ("DROP{}TABLE{}t", COMMITS),
    ("SELECT{}1{};{}SELECT{}2", OPAQUE),
    ("SHOW{}WARNINGS", PREVIOUS),
    ("EXPLAIN{}ANALYZE{}DELETE{}FROM{}t", DML),
]
NASTY = st.text("ab@x;:=()'\"`\\#-/*!%\n \u00e9\u017f") | st.text()
comments = st.one_of(
    NASTY.map(lambda text: "/* " + text.replace("*/", "") + " */").filter(
        lambda text: text.count("*/") == 1
    ),
    NASTY.map(lambda text: "-- " + text.replace("\n", " ") + "\n"),
    NASTY.map(lambda text: "#" + text.replace("\n", " ") + "\n"),
)
gaps = st.text(" \t\r\n\f\v", min_size=1) | comments.map(" {} ".format)
contents = {
    "'": lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
    '"': lambda text: '"' + text.replace("\\", "\\\\").replace('"', '""') + '"',
    "`": lambda text: "`" + text.replace("`", "``") + "`",
}


def _no_server_comment(text):
    return effects._SERVER_COMMENT.search(text) is None


@given(st.sampled_from(PATTERNS), st.data())
def test_white_space_and_comments_change_nothing(pattern, data):
    template, effect = pattern
    filling = [data.draw(gaps.filter(_no_server_comment)) for _ in range(template.count("{}"))]
    assert effect_of(template.format(*filling)) == effect


@given(
    st.sampled_from(
        [
            ("SELECT a FROM t WHERE b = {} AND f = {}", READ, "'\""),
            ("SELECT {} FROM {} WHERE {}.{} IN (1)", READ, "`"),
            ("SELECT {} ({})", OPAQUE, "`"),
            ("INSERT INTO {} ({}) VALUES (1)", DML, "`"),
            ("INSERT INTO t (a) VALUES ({}, @x := 1, {})", DML | PINS, "'\""),
            ("SELECT {}; SELECT {}", OPAQUE, "'\"`"),
            ("SET a = {}, b = {}", SETS, "'\""),
            ("USE {}", SETS, "`"),
            ("GRANT ALL ON t TO {}@{}", COMMITS, "'\"`"),
        ]
    ),
    st.data(),
)
def test_content_of_quotes_changes_nothing(pattern, data):
    template, effect, quotes = pattern
    quoted = st.builds(lambda quote, text: contents[quote](text), st.sampled_from(quotes), NASTY)
    sql = template.format(*(data.draw(quoted) for _ in range(template.count("{}"))))
    if _no_server_comment(sql):
        assert effect_of(sql) == effect
    else:
        # Taken for a comment that some servers run, until shown otherwise: never too kind.
        assert effect_of(sql) | effect == effect_of(sql)


@given(st.sampled_from(ROWS), st.randoms(use_true_random=False))
def test_case_of_letters_changes_nothing(row, random):
    sql, effect = row
    mixed = "".join(random.choice((c.upper(), c.lower())) if c.isascii() else c for c in sql)
    # Placeholders are Python's, and Python minds the case.
    mixed = mixed.replace("%S", "%s").replace(")S", ")s")
    # So does MariaDB of the mark of its comments.
    mixed = mixed.replace("/*m!", "/*M!")
    assert effect_of(mixed) == effect


@given(st.sampled_from(ROWS).map(lambda row: row[0]) | NASTY)
@settings(max_examples=300)
def test_bytes_and_text_agree(sql):
    encoded = sql.encode("utf-8", "surrogatepass")
    assert effect_of(encoded) == effect_of(sql)
    assert effect_of(bytearray(encoded)) == effect_of(sql)
    assert first_keyword(encoded) == first_keyword(sql)


@given(NASTY, st.sampled_from(["SELECT @x", "SELECT 1; COMMIT", "SELECT f(1)"]))
def test_noise_never_hides_what_stands_before_it(noise, sql):
    assert READ not in effect_of(f"{sql} {noise}")


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("SELECT 1", "SELECT"),
        ("  (select 1)", "SELECT"),
        ("-- why\n# and\n/* how */ update t set a = 1", "UPDATE"),
        ("/*!40101 SET NAMES utf8 */", "SET"),
        (b"insert into t values (1)", "INSERT"),
        ("Commit;", "COMMIT"),
        ("SELECT/**/1", "SELECT"),
        ("secretword", "OTHER"),
        ("'secret'", "OTHER"),
        ("SELECT$1", "OTHER"),
        ("4711", "OTHER"),
        ("", "OTHER"),
    ],
)
def test_first_keyword_is_a_known_verb_and_never_a_value(sql, word):
    assert first_keyword(sql) == word


@pytest.mark.parametrize(
    ("sql", "without"),
    [
        ("SELECT 1", True),
        (" (select now()) ", True),
        ("SELECT 'FROM t'", True),
        ("SELECT 1 FROM dual", True),
        ("SELECT @@version /* FROM t */", True),
        ("EXPLAIN SELECT 1", True),
        ("SET time_zone = '+00:00'", True),
        ("USE other", True),
        ("SHOW GLOBAL STATUS LIKE 'a'", True),
        ("SELECT 1 /*! FROM t */", False),
        ("SELECT 1 FROM dual JOIN t", False),
        ("SELECT 1 WHERE EXISTS (TABLE t)", False),
        ("SET @a = (SELECT b FROM t)", False),
        ("SET STATEMENT a = 1 FOR SELECT 1", False),
        ("SET PASSWORD = 'a'", False),
        ("SELECT NEXT VALUE FOR s", False),
        ("SELECT 1 INTO OUTFILE 'a'", False),
        ("SHOW TABLES", False),
        ("INSERT t VALUES (1)", False),
        ("SAVEPOINT a", False),
        ("CALL p()", False),
        ("", False),
    ],
)
def test_what_touches_no_table_begins_no_transaction(sql, without):
    assert touches_no_table(sql) is without


@pytest.mark.parametrize(
    ("body", "hides"),
    [
        ("SET @last = NEW.tag", True),
        ("SET NEW.tag = 1, @last = 2", True),
        ("SET NEW.tag = 1,\n  @`last` := 2", True),
        ("SELECT NEW.tag INTO @last", True),
        ("SELECT NEW.tag, 1 INTO x, @last", True),
        ("BEGIN SELECT @n := 1; END", True),
        ("GET DIAGNOSTICS @n = ROW_COUNT", True),
        ("DO GET_LOCK('a', 1)", True),
        ("CREATE TEMPORARY TABLE t (a INT)", True),
        ("CALL p(NEW.tag)", True),
        ("SET SESSION time_zone = '+05:00'", True),
        ("SET group_concat_max_len = 4", True),
        ("SET ROLE writer", True),
        ("SET NEW.parent = LAST_INSERT_ID()", True),
        ("SET NEW.tag = COALESCE(@who, 'x')", False),
        ("INSERT INTO audit (who, what) VALUES (@who, NEW.tag)", False),
        ("IF @off = 1 THEN SET NEW.tag = 'x'; END IF", False),
        ("BEGIN DECLARE x INT; SET x = 1; SET NEW.mail = 'a@b.c'; END", False),
    ],
)
def test_code_that_leaves_something_is_told_by_its_text(body: str, hides: bool) -> None:
    for quoted in ("", "DEFINER=`select`@`%` "):
        trigger = f"CREATE {quoted}TRIGGER t BEFORE INSERT ON note FOR EACH ROW {body}"
        assert made_by(trigger) is (Hides.WRITES if hides else None)
    function = f"CREATE FUNCTION f() RETURNS INT BEGIN {body}; RETURN 1; END"
    assert made_by(function) is (Hides.ALL if hides else None)


def test_what_else_is_made_leaves_nothing() -> None:
    assert made_by("CREATE TABLE t (a INT) COMMENT 'set @a = 1'") is None
    assert made_by("CREATE VIEW v AS SELECT COUNT(*) FROM t") is None
    assert made_by("CREATE OR REPLACE VIEW v AS SELECT f(a) FROM t") is Hides.ALL


def test_long_code_is_looked_through_once() -> None:
    """MySQL gives up where one place after the other is followed to the end of the text."""
    body = ", ".join(
        f"'asset_offset_{n}', NEW.asset_offset_{n}, 'set into call@'" for n in range(9000)
    )
    assert made_by(f"CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW SET x = JSON({body})") is None
