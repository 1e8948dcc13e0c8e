"""What a statement does to the session it runs in, decided from its text alone.

The pool asks before it lends a connection again (did somebody leave something behind?), the
backend before it sends a statement on another connection (does it build on what this session
holds?) and before it sends one twice (would that be seen?).

The text is looked at twice. First everything that is not code is taken out: literals, comments,
quoted names. What remains is plain enough for a few rules on words. Where they cannot tell they
say the worse: not `Effect.READ`, `Effect.OPAQUE`, `Effect.IMPLICIT_COMMIT`.

Out of sight, and accepted: triggers, functions called by views, and a stored function named
like another server's built-in one.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable


class Effect(enum.Flag):
    """What stays behind in the session, and whether the statement may be repeated.

    ``NONE`` leaves nothing behind, yet is not known to be repeatable (``SELECT SLEEP(1)``).
    Combined values are made once: comparing them with ``is`` and hashing them is cheap.
    """

    NONE = 0
    READ = enum.auto()
    """A plain read: it may run again if none of its rows was seen."""
    DML = enum.auto()
    """Writes rows, or locks them as a write would (``SELECT … FOR UPDATE``)."""
    SAVEPOINT = enum.auto()
    """Sets, releases or returns to a savepoint."""
    TRANSACTION = enum.auto()
    """Begins, ends or configures a transaction."""
    IMPLICIT_COMMIT = enum.auto()
    """May commit on its own, as DDL does. So may every statement that is not known here."""
    SETS = enum.auto()
    """Sets session state. Alone: to literals, so the same text does it on a new connection."""
    PINS = enum.auto()
    """Leaves or uses state that cannot be made again elsewhere.

    Nothing takes a pin away but a reset of the session: not ``RELEASE_ALL_LOCKS()``, nor
    ``DROP TEMPORARY TABLE``, nor ``UNLOCK TABLES``, since each may leave some of it standing.
    """
    OPAQUE = enum.auto()
    """Runs code that is not in the text: treat it as ``PINS``."""
    USES_PREVIOUS = enum.auto()
    """Asks about the session's previous statement, so it makes no sense on another one."""


class Boundary(enum.Enum):
    """What a statement of SQL does to the transaction that it finds."""

    BEGINS = "begins one"
    ENDS = "ends it"
    CHAINS = "ends it and begins the next"
    LEAVES = "ends it, and the session"
    CHOOSES = "says what the next one is like"
    SWITCHES = "sets autocommit"


class Asks(enum.Flag):
    """What of the session's previous statement a statement asks for."""

    NOTHING = 0
    ID = enum.auto()
    """The number that AUTO_INCREMENT gave last, whichever statement that was."""
    OUTCOME = enum.auto()
    """Rows counted, rows found, warnings: of the very last statement."""
    COMPLAINTS = enum.auto()
    """Warnings and errors, which in MariaDB may be of an earlier one. It is an `OUTCOME`, too."""


class Keeps(enum.Flag):
    """What a session holds that its author counts on from one statement to the next.

    Where it is lost, going on without it would do something else than he wrote.
    """

    NOTHING = 0
    TRANSACTION = enum.auto()
    """One that was begun in SQL, not by Django."""
    MODE = enum.auto()
    """Autocommit that was switched off in SQL."""
    ON = enum.auto()
    """Its end, where the text surely says so; never missed."""
    CHOICE = enum.auto()
    """What the next transaction is to be like."""
    LOCK = enum.auto()
    TABLE = enum.auto()
    """A temporary one, which may stand before another of its name."""
    VARIABLE = enum.auto()
    SETTING = enum.auto()
    """Of a variable of the server's, to what is no literal."""
    FORGONE = enum.auto()
    """What it had set to literals, by name, where that is not to be made again."""
    STATEMENT = enum.auto()
    """One that was prepared in SQL."""
    HANDLER = enum.auto()
    HIDDEN = enum.auto()
    """Whatever code has left that is not in the text."""


class Hides(enum.Enum):
    """What of a database runs code that leaves something in the session, and is in no text."""

    NOTHING = 0
    WRITES = 1
    """A trigger does."""
    ALL = 2
    """A function does that a view calls."""


SPACE = "[ \t\r\n]"
_SETTINGS = "len|length|zone|names|size|timeout|results|client|connection|mode|checks|level|log"
HIDING = "|".join(
    (
        f"(set{SPACE}|,){SPACE}*@[^ ,;=:()]+{SPACE}*:?=",
        f"@[^ ,;=:()@]+{SPACE}*:=",
        f"into{SPACE}+([a-z0-9_]+{SPACE}*,{SPACE}*)?@",
        f"diagnostics{SPACE}[^;]*@",
        f"set{SPACE}+(session|local|role|names|timestamp|insert_id|[a-z_]+_({_SETTINGS})){SPACE}*[^a-z_]",
        "get_lock|temporary|last_insert_id|connection_id|row_count|found_rows",
        f"call{SPACE}",
    )
)
"""The regular expression, for servers and for Python, of code in lower case that does, if in doubt:
it gives a variable a value, takes a lock or makes a temporary table, or calls a procedure; or it
asks its session what it must not be asked in another one. Each part takes no longer for a longer
text than that is longer: MySQL gives up after a while."""

_MAKES = re.compile(r"\s*create\b[^(]*?\b(trigger|function|view|table|procedure|event)\b")
_QUOTED = re.compile(r"`[^`]*`|'[^']*'")
_OF_VIEW = re.compile(r"\bas\b(.*)", re.DOTALL)
_HIDING = re.compile(HIDING)


def made_by(sql: str) -> Hides | None:
    """Return what a database has, once this CREATE has run, that leaves something in sessions.

    None: nothing new. Of a function it is not known yet what calls it.
    """
    text = sql.lower()
    made = _MAKES.match(_QUOTED.sub("", text))
    if made is None:
        return None
    if made[1] == "view":
        select = _OF_VIEW.search(sql.replace("AS", "as"))
        return Hides.ALL if select and Effect.OPAQUE in effect_of(select[1]) else None
    hides = {"trigger": Hides.WRITES, "function": Hides.ALL}.get(made[1])
    return hides if _HIDING.search(text) else None


LONG = 4096
"""Characters from which on a statement is likely to be a list of placeholders."""


def effect_of(sql: str | bytes) -> Effect:
    """Return what ``sql``, a template with ``%s`` or the final text, does to its session."""
    return _effect_of_text(_text(sql))


def first_keyword(sql: str | bytes) -> str:
    """Return the statement's verb in upper case for a label, ``OTHER`` if it is not a known one."""
    found = _FIRST_WORD.match(_text(sql))
    word = found[1].upper() if found else ""
    return word if word in _VERBS else "OTHER"


def boundary_of(sql: str | bytes) -> Boundary:
    """Return what a statement with `Effect.TRANSACTION` does to the transaction.

    Where the text leaves room for doubt it is said to begin one, which is the safe side.
    """
    text = _text(sql)
    code = _code(_SKIP_COMMENTS, text).strip(_SPACE + ";")
    found = _END_OF_TRANSACTION.match(code)
    if found is not None and _ENDS_THE_SESSION.search(code):
        return Boundary.LEAVES
    if found is None:
        if code.startswith("SET"):
            return Boundary.SWITCHES if "AUTOCOMMIT" in code else Boundary.CHOOSES
        return Boundary.BEGINS
    if _SERVER_COMMENT.search(text) or found["chain"]:
        return Boundary.CHAINS
    return Boundary.ENDS


_END_OF_TRANSACTION = re.compile(
    r"(?:COMMIT|ROLLBACK)\b(?:\s+WORK\b)?(?P<chain>\s+AND\s+CHAIN\b)?", re.ASCII
)
_ENDS_THE_SESSION = re.compile(r"(?<!\bNO\s)\bRELEASE$", re.ASCII)


def asks_of(sql: str | bytes) -> Asks:
    """Return what a statement with `Effect.USES_PREVIOUS` asks for."""
    text = _text(sql)
    code = _code(_SKIP_COMMENTS, text)
    if _SERVER_COMMENT.search(text):
        code = f"{code} {_code(_RUN_COMMENTS, text)}"
    asks = Asks.ID if _ID_WORDS.search(code) else Asks.NOTHING
    if _COMPLAINT_WORDS.search(code):
        return asks | Asks.OUTCOME | Asks.COMPLAINTS
    return asks | Asks.OUTCOME if _OUTCOME_WORDS.search(code) or not asks else asks


def kept_by(sql: str | bytes, *, settings: bool = True) -> Keeps:
    """Return what a session keeps of a statement with `Effect.PINS` or `Effect.TRANSACTION`.

    Without *settings* not what it sets variables of the server's to: that is made again.
    """
    code = _code(_SKIP_COMMENTS, _text(sql)).strip(_SPACE + ";(")
    kept = Keeps.NOTHING
    for kind, pattern in _KEPT:
        if pattern.search(code):
            kept |= kind
    return kept & ~Keeps.SETTING if kept & Keeps.VARIABLE or not settings else kept


_KEPT = [
    (kind, re.compile(pattern, re.ASCII | re.DOTALL))
    for kind, pattern in (
        (Keeps.TRANSACTION, r"\A(?:XA\s+)?(?:START|BEGIN)\b|\AROLLBACK\b.*\bAND\s+CHAIN\b"),
        # Of any other value, such as a quoted one, it is not known.
        (Keeps.MODE, r"\ASET\b.*\bAUTOCOMMIT\s*:?=\s*(?:0|OFF|FALSE)\b"),
        (Keeps.ON, r"\ASET\b.*\bAUTOCOMMIT\s*:?=\s*(?:1|ON|TRUE)\b"),
        (Keeps.CHOICE, r"\ASET\b.*\b(?:TRANSACTION|TX)(?:\s|_)"),
        (Keeps.LOCK, r"\bGET_LOCK\s*\(|\A(?:LOCK|FLUSH|BACKUP)\b"),
        (Keeps.TABLE, r"\ACREATE\s+(?:OR\s+REPLACE\s+)?TEMPORARY\b"),
        (Keeps.STATEMENT, r"\APREPARE\b"),
        (Keeps.HANDLER, r"\AHANDLER\b.*\bOPEN\b"),
        (Keeps.VARIABLE, r":=|\bINTO\s*@|\AGET\b.*@|\ASET\b.*(?<![@'\"`])@(?!@)"),
        (Keeps.SETTING, r"\ASET\b"),
    )
]


def touches_no_table(sql: str | bytes) -> bool:
    """Whether ``sql`` surely reads and writes no table, so that it begins no transaction.

    For a statement without `Effect.OPAQUE`: what a function does is not seen here.
    """
    text = _text(sql)
    if _SERVER_COMMENT.search(text):
        return False
    code = _code(_SKIP_COMMENTS, text).strip(_SPACE + ";(")
    return bool(_MAY_DO_WITHOUT.match(code)) and not _TABLE_WORDS.search(code)


# What SHOW lists of tables and databases MySQL reads from tables.
_MAY_DO_WITHOUT = re.compile(
    r"(?:(?:EXPLAIN\s+)?SELECT|SET|USE|SHOW\s+(?:(?:GLOBAL|SESSION|LOCAL|FULL|COUNT\s*\(\*\))\s+)?"
    r"(?:VARIABLES|STATUS|PROCESSLIST|WARNINGS|ERRORS))\b",
    re.ASCII,
)
_TABLE_WORDS = re.compile(
    r"\b(?:FROM(?!\s+DUAL\s*$)|TABLE|STATEMENT|PASSWORD|ROLE|INTO|NEXTVAL|VALUE)\b", re.ASCII
)
_ID_WORDS = re.compile(
    r"\b(?:LAST_INSERT_ID|IDENTITY|LASTVAL|CURRVAL|PREVIOUS\s+VALUE)\b", re.ASCII
)
_COMPLAINT_WORDS = re.compile(
    r"\b(?:WARNINGS|ERRORS|WARNING_COUNT|ERROR_COUNT|DIAGNOSTICS)\b|@@\s*(?:\w+\s*\.\s*)?`",
    re.ASCII,
)
_OUTCOME_WORDS = re.compile(r"\b(?:ROW_COUNT|FOUND_ROWS|PROFILES?)\b", re.ASCII)


def settings_of(sql: str | bytes) -> tuple[str, ...]:
    """Return the names of what a statement that is only `Effect.SETS` sets, in lower case.

    Two statements that set the same names leave the same session, whatever came before the last.
    Empty: it cannot be told, or the text means another thing under another character set, so that
    it must not be taken for the same on another session.
    """
    text = _text(sql)
    if not text.isascii() or _SERVER_COMMENT.search(text):
        return ()
    code = _code(_SKIP_COMMENTS, text).strip(_SPACE + ";")
    if code.startswith("USE"):
        return ("use",)
    if found := _SET_SESSION_TRANSACTION.match(code):
        words = found[1]
        names = ["transaction_isolation"] if "ISOLATION" in words else []
        return (*names, *(["transaction_read_only"] if _ACCESS.search(words) else []))
    if found := _SET_WORDS_NAMED.match(code):
        return (_SAME_WORDS.get(found[1], found[1].lower()),)
    assignments = [_ASSIGNMENT.fullmatch(text) for text in code[len("SET") :].split(",")]
    names = [found["name"].lower() for found in assignments if found]
    return tuple(_SAME_VARIABLES.get(name, name) for name in names)


_SET_SESSION_TRANSACTION = re.compile(
    r"SET\s+(?:SESSION|LOCAL)\s+TRANSACTION\s+(.*)", re.DOTALL | re.ASCII
)
_ACCESS = re.compile(r"\bREAD\s+(?:ONLY|WRITE)\b", re.ASCII)
_SET_WORDS_NAMED = re.compile(r"SET\s+(NAMES|CHARSET|CHARACTER|ROLE)\b", re.ASCII)
_SAME_WORDS = {"CHARSET": "character set", "CHARACTER": "character set"}
_SAME_VARIABLES = {
    "tx_isolation": "transaction_isolation",
    "tx_read_only": "transaction_read_only",
}


def _text(sql: str | bytes) -> str:
    if type(sql) is str:
        return sql
    return sql.decode("latin-1") if isinstance(sql, bytes | bytearray) else str(sql)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VERBS = _words(
    """
    ALTER ANALYZE BACKUP BEGIN BINLOG CACHE CALL CHANGE CHECK CHECKSUM COMMIT CREATE DEALLOCATE
    DELETE DESC DESCRIBE DO DROP EXECUTE EXPLAIN FLUSH GET GRANT HANDLER HELP IMPORT INSERT INSTALL
    KILL LOAD LOCK OPTIMIZE PREPARE PURGE RELEASE RENAME REPAIR REPLACE RESET RESIGNAL REVOKE
    ROLLBACK SAVEPOINT SELECT SET SHOW SHUTDOWN SIGNAL START STOP TABLE TRUNCATE UNINSTALL UNLOCK
    UPDATE USE VALUES WITH XA
    """
)

# --- from text to code -----------------------------------------------------------------------

# Quotes double themselves, and a backslash escapes in all but `names`. The mode
# NO_BACKSLASH_ESCAPES reads '\' as a whole string: after that the quotes here do not pair up, or
# a backslash stands outside a string, and the statement is called broken, hence opaque.
# (The first character is matched on its own since that lets the search leap from one to the next.)
_NOT_CODE = r"""
    ['"`\#\-/*\\]
    (?: (?P<quoted> (?<=') (?:[^'\\]++|\\.|'')*+ '
                  | (?<=") (?:[^"\\]++|\\.|"")*+ "
                  | (?<=`) (?:[^`]++|``)*+ ` )
      | (?: (?<=\#)
          | (?<=-) - (?= [\x00-\x20\x7f] | \Z )  # 5--3 is a sum
        ) [^\n]*+
      | {comments}
      | (?P<broken> (?: (?<=['"`\\]) | (?<=/) \* ) .*+ )
    )
"""
# The content of /*! … */ and /*M! … */ is run by some servers and a comment to others.
_SERVER_COMMENT = re.compile(r"/\*M?!")
_FLAGS = re.VERBOSE | re.DOTALL | re.ASCII
_RUN_COMMENTS = re.compile(
    _NOT_CODE.format(comments=r"(?<=/) \* (?: (?!M?!) .*? \*/ | M?! \d*+ ) | (?<=\*) /"), _FLAGS
)
_SKIP_COMMENTS = re.compile(_NOT_CODE.format(comments=r"(?<=/) \* .*? \*/"), _FLAGS)

_NAMED_PLACEHOLDER = re.compile(r"%\(\w+\)s")
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_SPACE = " \t\n\r\f\v"
_BROKEN = "\\"


def _code(lexemes: re.Pattern[str], text: str) -> str:
    """Return ``text`` in upper case without comments, each quoted thing cut down to its quote."""
    code = lexemes.sub(_residue, text)
    if not code.isascii():
        # Part of a name. "$" keeps it one name, and one that no built-in function has.
        code = _NON_ASCII.sub("$", code)
    return code.upper()


def _residue(found: re.Match[str]) -> str:
    if found.lastgroup == "quoted":
        return found[0][0]
    return " " if found.lastgroup is None else _BROKEN


def _effect_of_text(text: str) -> Effect:
    if len(text) > LONG:
        # bulk_create's tens of thousands of placeholders. The comma proves that this "s" is not
        # the beginning of a longer name.
        text = text.replace("%s, ", ", ")
    if "%(" in text:
        text = _NAMED_PLACEHOLDER.sub("%s", text)
    effect = _effect_of_code(_code(_SKIP_COMMENTS, text))
    if _SERVER_COMMENT.search(text):
        other = _effect_of_code(_code(_RUN_COMMENTS, text))
        if other is not effect:
            effect = _together(effect, other)
    return effect


def _together(*effects: Effect) -> Effect:
    """Several effects of one text: it is no longer a read, nor replayable as a whole."""
    total = Effect.NONE
    for effect in effects:
        total |= effect
    if total is not Effect.SETS and total & Effect.SETS:
        total = total & ~Effect.SETS | Effect.PINS
    return total & ~Effect.READ


# --- statements ------------------------------------------------------------------------------

_FIRST_WORD = re.compile(
    r"(?: [\s(;]++ | (?:\#|--\s)[^\n]*+ | /\*(?!M?!).*?\*/ | /\*M?!\d*+ )*+ ([A-Za-z]++)(?![\w$])",
    _FLAGS,
)
_UNKNOWN = Effect.OPAQUE | Effect.IMPLICIT_COMMIT


def _effect_of_code(code: str) -> Effect:
    if _BROKEN in code:
        return _UNKNOWN
    code = code.strip(_SPACE + ";")
    if ";" in code:
        return _together(Effect.OPAQUE, *map(_effect_of_code, code.split(";")))
    if not code:
        return Effect.NONE  # The server refuses it: "Query was empty".
    return _effect_of_statement(code)


# 'user'@'host' and @@variable.
_NO_USER_VARIABLE = re.compile(r"""['"`]@|@@""")


def _effect_of_statement(code: str) -> Effect:
    found = _FIRST_WORD.match(code)
    effect = _by_verb(found[1] if found else "", code)
    sets = ":=" in code
    if not sets and ("@" not in code or "@" not in _NO_USER_VARIABLE.sub("", code)):
        return effect
    effect &= ~(Effect.READ | Effect.SETS)
    # To read a variable leaves nothing behind: whoever set it has pinned the session by that, and
    # one that nobody set is NULL in every session.
    if not sets and found and found[1] in _READS_VARIABLES and not _INTO_VARIABLE.search(code):
        return effect
    return effect | Effect.PINS


_INTO_VARIABLE = re.compile(r"\bINTO\s*@", re.ASCII)
_READS_VARIABLES = _words("DELETE INSERT REPLACE SELECT TABLE UPDATE VALUES WITH")


def _by_verb(verb: str, code: str) -> Effect:
    if verb in _SIMPLE:
        return _SIMPLE[verb]
    if verb in _LOOKED_INTO:
        return _LOOKED_INTO[verb](code)
    rules = _MORE_WORDS.get(verb, ())
    return next((effect for start, effect in rules if start.match(code)), Effect.IMPLICIT_COMMIT)


_SIMPLE = {
    "BACKUP": Effect.PINS | Effect.IMPLICIT_COMMIT,
    "CALL": _UNKNOWN,
    "COMMIT": Effect.TRANSACTION,
    "DEALLOCATE": Effect.PINS,
    "EXECUTE": Effect.PINS | _UNKNOWN,
    "GET": Effect.USES_PREVIOUS,
    "HANDLER": Effect.PINS,
    "LOCK": Effect.PINS | Effect.IMPLICIT_COMMIT,
    "PREPARE": Effect.PINS,
    "SAVEPOINT": Effect.SAVEPOINT,
    "USE": Effect.SETS,
    "XA": Effect.TRANSACTION | Effect.PINS,
}


def _starts(*rules: tuple[str, Effect]) -> list[tuple[re.Pattern[str], Effect]]:
    return [(re.compile(words.replace(" ", r"\s+"), re.ASCII), effect) for words, effect in rules]


# Verbs whose next words decide. What matches none of them commits implicitly.
_MORE_WORDS = {
    # A compound statement of MariaDB: code, not a transaction.
    "BEGIN": _starts((r"BEGIN NOT\b", _UNKNOWN), (r"BEGIN", Effect.TRANSACTION)),
    # Without its current database a session has none, also when another of that name is made.
    "DROP": _starts(
        (r"DROP (?:TEMPORARY|PREPARE)\b", Effect.PINS),
        (r"DROP (?:DATABASE|SCHEMA)\b", Effect.PINS | Effect.IMPLICIT_COMMIT),
    ),
    "FLUSH": _starts((r"[^;]*\b(?:LOCK|EXPORT)\b", Effect.PINS | Effect.IMPLICIT_COMMIT)),
    "LOAD": _starts((r"LOAD (?:DATA|XML)\b", Effect.DML | Effect.OPAQUE)),
    "RELEASE": _starts((r"RELEASE SAVEPOINT\b", Effect.SAVEPOINT)),
    "ROLLBACK": _starts(
        (r"ROLLBACK (?:WORK )?TO\b", Effect.SAVEPOINT), (r"ROLLBACK", Effect.TRANSACTION)
    ),
    "START": _starts((r"START TRANSACTION\b", Effect.TRANSACTION)),
}

_SHOW_PREVIOUS = re.compile(r"SHOW\s+(?:COUNT\s*\([^)]*\)\s*)?(?:WARNINGS|ERRORS|PROFILES?)\b")
_WRITE_VERB = re.compile(r"\b(?:INSERT|UPDATE|DELETE|REPLACE)\b(?!\s*\()", re.ASCII)
_LOCKS_OR_STORES = re.compile(
    r"\b(?:FOR\s+(?:UPDATE|SHARE)|LOCK\s+IN|INTO|PROCEDURE|NEXT\s+VALUE\s+FOR|NEXTVAL|SETVAL)\b",
    re.ASCII,
)
_NEXT_VALUE = re.compile(r"\b(?:NEXT\s+VALUE\s+FOR|NEXTVAL\s*\()", re.ASCII)
_PREVIOUS_VALUE = re.compile(r"\b(?:PREVIOUS\s+VALUE|LASTVAL|CURRVAL)\b", re.ASCII)
_SYSTEM_VARIABLE = re.compile(r"@@(?:\s*\w+\s*\.)?\s*([\w$]+|`)", re.ASCII)
_ABOUT_PREVIOUS = {"IDENTITY", "LAST_INSERT_ID", "WARNING_COUNT", "ERROR_COUNT", "`"}


def _query(code: str) -> Effect:
    functions = _functions(code)
    effect = _uses(code, functions)
    if _LOCKS_OR_STORES.search(code):
        return effect | Effect.DML
    if not effect and functions.isdisjoint(_NOT_REPEATABLE):
        return Effect.READ
    return effect


_CREATED = re.compile(r"CREATE\s+(?:OR\s+REPLACE\s+)?(TEMPORARY|TABLE)\b", re.ASCII)
_REPLACED = re.compile(r"CREATE\s+OR\s+REPLACE\s+(?:DATABASE|SCHEMA)\b", re.ASCII)
_SELECTED = re.compile(r"\b(?:SELECT|WITH|VALUES|TABLE)\b", re.ASCII)


def _create(code: str) -> Effect:
    created = _CREATED.match(code)
    if created is None:  # the body of a view or a procedure does not run
        return Effect.IMPLICIT_COMMIT | (Effect.PINS if _REPLACED.match(code) else Effect.NONE)
    if created[1] == "TEMPORARY":
        return Effect.PINS
    selected = _SELECTED.search(code, created.end())
    if selected is None:
        return Effect.IMPLICIT_COMMIT
    query = code[selected.start() :]
    return Effect.IMPLICIT_COMMIT | _uses(query, _functions(query))


def _write(code: str) -> Effect:
    return Effect.DML | _uses(code, _functions(code))


def _uses(code: str, functions: set[str]) -> Effect:
    """What the expressions in ``code`` do, whatever the statement is."""
    effect = Effect.NONE
    if not functions <= _NOT_OPAQUE:
        effect |= Effect.OPAQUE
    if (
        functions & _LOCK_FUNCTIONS
        or "SQL_CALC_FOUND_ROWS" in code
        or _NEXT_VALUE.search(code)  # the session remembers it for LASTVAL
    ):
        effect |= Effect.PINS
    if (
        functions & _PREVIOUS_FUNCTIONS
        or _PREVIOUS_VALUE.search(code)
        or ("@@" in code and not _ABOUT_PREVIOUS.isdisjoint(_SYSTEM_VARIABLE.findall(code)))
    ):
        effect |= Effect.USES_PREVIOUS
    return effect


# EXPLAIN only plans; EXPLAIN ANALYZE, and MariaDB's ANALYZE, run the statement.
_EXPLAIN_PREFIX = re.compile(
    r"""(?:EXPLAIN|DESCRIBE|DESC|ANALYZE)
        (?: \s+ (?: ANALYZE | EXTENDED | PARTITIONS | FORMAT\s*=\s*(?:\w+|['"`]) ) (?=[\s(]) )*+
        \s*+ (?= \( | (?:SELECT|WITH|VALUES|INSERT|UPDATE|DELETE|REPLACE)\b )""",
    _FLAGS,
)


def _explain(code: str) -> Effect:
    prefix = _EXPLAIN_PREFIX.match(code)
    if prefix is None:
        # ANALYZE TABLE, which commits, or DESCRIBE some_table.
        return Effect.IMPLICIT_COMMIT if "ANALYZE" in code else _query(code)
    effect = _effect_of_statement(code[prefix.end() :])
    if "ANALYZE" not in prefix[0] and effect is Effect.DML:
        return Effect.READ
    return effect


# --- functions -------------------------------------------------------------------------------

# For text read from its end: from the bracket to the name leaps over megabytes of placeholders.
_CALL_BACKWARDS = re.compile(r"""\(\s*+([\w$]++|["`])(\s*+\.)?""", re.ASCII)
# Names that have a list of columns in brackets: INSERT INTO name (…), WITH name (…), AS name (…).
_NAME = r"""(?:[\w$]++|["`])(?:\s*+\.\s*+(?:[\w$]++|["`]))?+\s*+\("""
_INTO_COLUMNS = re.compile(
    r"(?:INSERT|REPLACE)(?:\s++(?:LOW_PRIORITY|HIGH_PRIORITY|DELAYED|IGNORE|INTO)\b)*+\s*+" + _NAME,
    re.ASCII,
)
_ALIAS_COLUMNS = re.compile(r"\b(?:AS|WITH|RECURSIVE)\s++" + _NAME, re.ASCII)


def _functions(code: str) -> set[str]:
    """Return what is called like a function; ``?`` stands for all that must be a stored one."""
    into = _INTO_COLUMNS.match(code)
    code = code[into.end() :] if into else code
    names = _called(code)
    if not names <= _NOT_OPAQUE:
        names = _called(_ALIAS_COLUMNS.sub(" ", code))
    return names


def _called(code: str) -> set[str]:
    calls = set(_CALL_BACKWARDS.findall(code[::-1]))
    return {"?" if dot or name in '"`' else name[::-1] for name, dot in calls}


_LOCK_FUNCTIONS = {"GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS"}
# LAST_INSERT_ID(expr) sets what LAST_INSERT_ID() returns. An INSERT does that as well, and
# neither pins: only who asks later depends on it.
_PREVIOUS_FUNCTIONS = {"LAST_INSERT_ID", "FOUND_ROWS", "ROW_COUNT", "LASTVAL"}
# Not harmful for the session, and not for running twice behind somebody's back.
_NOT_REPEATABLE = _words(
    """
    BENCHMARK MASTER_GTID_WAIT MASTER_POS_WAIT NEXTVAL SETVAL SLEEP SOURCE_POS_WAIT
    WAIT_FOR_EXECUTED_GTID_SET WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS WSREP_SYNC_WAIT_UPTO_GTID
    """
)

# Words that stand before a bracket and are no function: syntax, and the types of CAST and
# JSON_TABLE.
_SYNTAX = _words(
    """
    AGAINST ALL AND ANY AS BETWEEN BY CASE COLUMNS DISTINCT DISTINCTROW DIV ELSE ESCAPE EXCEPT
    EXISTS FROM HAVING IN INDEX INTERSECT INTERVAL INTO IS JOIN KEY LATERAL LIKE LIMIT MINUS NOT OF
    OFFSET ON OR OVER PARTITION REGEXP RETURNING RLIKE SELECT SET SOME STRAIGHT_JOIN THEN UNION
    USING VALUES WHEN WHERE WITHIN XOR
    BIGINT BINARY BIT BLOB CHAR CHARACTER DATETIME DEC DECIMAL DOUBLE FLOAT INT INTEGER MEDIUMINT
    NCHAR NUMERIC NVARCHAR REAL SMALLINT TEXT TIME TINYINT VARBINARY VARCHAR YEAR
    """
)

# Functions of MySQL 8.4 to 9 and of MariaDB 10.6 to 12 that leave no trace. RAND(), UUID() and
# NOW() belong here: a second run gives another answer, but nobody has seen the first.
_PURE_FUNCTIONS = _words(
    """
    ABS ACOS ADDDATE ADDTIME ADD_MONTHS AES_DECRYPT AES_ENCRYPT ANY_VALUE ASCII ASIN ATAN ATAN2 AVG
    BIN BINLOG_GTID_POS BIN_TO_UUID BIT_AND BIT_COUNT BIT_LENGTH BIT_OR BIT_XOR CAST CEIL CEILING
    CHARACTER_LENGTH CHARSET CHAR_LENGTH CHR COALESCE COERCIBILITY COLLATION COLUMN_ADD COLUMN_CHECK
    COLUMN_CREATE COLUMN_DELETE COLUMN_EXISTS COLUMN_GET COLUMN_JSON COLUMN_LIST COMPRESS CONCAT
    CONCAT_WS CONNECTION_ID CONV CONVERT CONVERT_TZ COS COT COUNT CRC32 CRC32C CUME_DIST CURDATE
    CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURTIME DATABASE DATE
    DATEDIFF DATE_ADD DATE_FORMAT DATE_SUB DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR DECODE DEFAULT
    DEGREES DENSE_RANK DES_DECRYPT DES_ENCRYPT ELT ENCODE ENCRYPT EXP EXPORT_SET EXTRACT
    EXTRACTVALUE FIELD FIND_IN_SET FIRST_VALUE FLOOR FORMAT FORMAT_BYTES FORMAT_PICO_TIME
    FROM_BASE64 FROM_DAYS FROM_UNIXTIME GET_FORMAT GREATEST GROUPING GROUP_CONCAT GTID_SUBSET
    GTID_SUBTRACT HEX HOUR ICU_VERSION IF IFNULL INET6_ATON INET6_NTOA INET_ATON INET_NTOA INSERT
    INSTR ISNULL IS_FREE_LOCK IS_IPV4 IS_IPV4_COMPAT IS_IPV4_MAPPED IS_IPV6 IS_USED_LOCK IS_UUID KDF
    LAG LAST_DAY LAST_VALUE LCASE LEAD LEAST LEFT LENGTH LENGTHB LN LOAD_FILE LOCALTIME
    LOCALTIMESTAMP LOCATE LOG LOG10 LOG2 LOWER LPAD LTRIM MAKEDATE MAKETIME MAKE_SET MATCH MAX MD5
    MEDIAN MICROSECOND MID MIN MINUTE MOD MONTH MONTHNAME NAME_CONST NATURAL_SORT_KEY NOW NTH_VALUE
    NTILE NULLIF NVL NVL2 OCT OCTET_LENGTH OLD_PASSWORD ORD PASSWORD PERCENTILE_CONT PERCENTILE_DISC
    PERCENT_RANK PERIOD_ADD PERIOD_DIFF PI POSITION POW POWER PS_CURRENT_THREAD_ID PS_THREAD_ID
    QUARTER QUOTE RADIANS RAND RANDOM_BYTES RANK REGEXP_INSTR REGEXP_LIKE REGEXP_REPLACE
    REGEXP_SUBSTR REPEAT REPLACE REVERSE RIGHT ROLES_GRAPHML ROUND ROW ROWNUM ROW_NUMBER RPAD RTRIM
    SCHEMA SECOND SEC_TO_TIME SESSION_USER SFORMAT SHA SHA1 SHA2 SIGN SIN SOUNDEX SPACE SQRT
    STATEMENT_DIGEST STATEMENT_DIGEST_TEXT STD STDDEV STDDEV_POP STDDEV_SAMP STRCMP STR_TO_DATE
    SUBDATE SUBSTR SUBSTRING SUBSTRING_INDEX SUBTIME SUM SYSDATE SYSTEM_USER SYS_GUID TAN TIMEDIFF
    TIMESTAMP TIMESTAMPADD TIMESTAMPDIFF TIME_FORMAT TIME_TO_SEC TO_BASE64 TO_CHAR TO_DAYS
    TO_SECONDS TRIM TRUNCATE UCASE UNCOMPRESS UNCOMPRESSED_LENGTH UNHEX UNIX_TIMESTAMP UPDATEXML
    UPPER USER UTC_DATE UTC_TIME UTC_TIMESTAMP UUID UUID_SHORT UUID_TO_BIN UUID_V4 UUID_V7
    VALIDATE_PASSWORD_STRENGTH VALUE VARIANCE VAR_POP VAR_SAMP VEC_DISTANCE VEC_DISTANCE_COSINE
    VEC_DISTANCE_EUCLIDEAN VEC_FROMTEXT VEC_TOTEXT VERSION WEEK WEEKDAY WEEKOFYEAR WEIGHT_STRING
    WSREP_LAST_SEEN_GTID WSREP_LAST_WRITTEN_GTID XMLTYPE YEARWEEK

    JSON_ARRAY JSON_ARRAYAGG JSON_ARRAY_APPEND JSON_ARRAY_INSERT JSON_ARRAY_INTERSECT JSON_COMPACT
    JSON_CONTAINS JSON_CONTAINS_PATH JSON_DEPTH JSON_DETAILED JSON_EQUALS JSON_EXISTS JSON_EXTRACT
    JSON_INSERT JSON_KEYS JSON_KEY_VALUE JSON_LENGTH JSON_LOOSE JSON_MERGE JSON_MERGE_PATCH
    JSON_MERGE_PRESERVE JSON_NORMALIZE JSON_OBJECT JSON_OBJECTAGG JSON_OBJECT_FILTER_KEYS
    JSON_OBJECT_TO_ARRAY JSON_OVERLAPS JSON_PRETTY JSON_QUERY JSON_QUOTE JSON_REMOVE JSON_REPLACE
    JSON_SCHEMA_VALID JSON_SCHEMA_VALIDATION_REPORT JSON_SEARCH JSON_SET JSON_STORAGE_FREE
    JSON_STORAGE_SIZE JSON_TABLE JSON_TYPE JSON_UNQUOTE JSON_VALID JSON_VALUE

    GEOMCOLLECTION GEOMETRYCOLLECTION GEOMETRYFROMTEXT GEOMETRYFROMWKB GEOMFROMTEXT GEOMFROMWKB
    LINESTRING MBRCONTAINS MBRCOVEREDBY MBRCOVERS MBRDISJOINT MBREQUAL MBREQUALS MBRINTERSECTS
    MBROVERLAPS MBRTOUCHES MBRWITHIN MULTILINESTRING MULTIPOINT MULTIPOLYGON POINT POLYGON ST_AREA
    ST_ASBINARY ST_ASGEOJSON ST_ASTEXT ST_ASWKB ST_ASWKT ST_BOUNDARY ST_BUFFER ST_BUFFER_STRATEGY
    ST_CENTROID ST_COLLECT ST_CONTAINS ST_CONVEXHULL ST_CROSSES ST_DIFFERENCE ST_DIMENSION
    ST_DISJOINT ST_DISTANCE ST_DISTANCE_SPHERE ST_ENDPOINT ST_ENVELOPE ST_EQUALS ST_EXTERIORRING
    ST_FRECHETDISTANCE ST_GEOHASH ST_GEOMCOLLFROMTEXT ST_GEOMCOLLFROMTXT ST_GEOMCOLLFROMWKB
    ST_GEOMETRYCOLLECTIONFROMTEXT ST_GEOMETRYCOLLECTIONFROMWKB ST_GEOMETRYFROMTEXT
    ST_GEOMETRYFROMWKB ST_GEOMETRYN ST_GEOMETRYTYPE ST_GEOMFROMGEOJSON ST_GEOMFROMTEXT
    ST_GEOMFROMWKB ST_HAUSDORFFDISTANCE ST_INTERIORRINGN ST_INTERSECTION ST_INTERSECTS ST_ISCLOSED
    ST_ISEMPTY ST_ISRING ST_ISSIMPLE ST_ISVALID ST_LATFROMGEOHASH ST_LATITUDE ST_LENGTH
    ST_LINEFROMTEXT ST_LINEFROMWKB ST_LINEINTERPOLATEPOINT ST_LINEINTERPOLATEPOINTS
    ST_LINESTRINGFROMTEXT ST_LINESTRINGFROMWKB ST_LONGFROMGEOHASH ST_LONGITUDE ST_MAKEENVELOPE
    ST_MLINEFROMTEXT ST_MLINEFROMWKB ST_MPOINTFROMTEXT ST_MPOINTFROMWKB ST_MPOLYFROMTEXT
    ST_MPOLYFROMWKB ST_MULTILINESTRINGFROMTEXT ST_MULTILINESTRINGFROMWKB ST_MULTIPOINTFROMTEXT
    ST_MULTIPOINTFROMWKB ST_MULTIPOLYGONFROMTEXT ST_MULTIPOLYGONFROMWKB ST_NUMGEOMETRIES
    ST_NUMINTERIORRING ST_NUMINTERIORRINGS ST_NUMPOINTS ST_OVERLAPS ST_POINTATDISTANCE
    ST_POINTFROMGEOHASH ST_POINTFROMTEXT ST_POINTFROMWKB ST_POINTN ST_POINTONSURFACE ST_POLYFROMTEXT
    ST_POLYFROMWKB ST_POLYGONFROMTEXT ST_POLYGONFROMWKB ST_RELATE ST_SIMPLIFY ST_SRID ST_STARTPOINT
    ST_SWAPXY ST_SYMDIFFERENCE ST_TOUCHES ST_TRANSFORM ST_UNION ST_VALIDATE ST_WITHIN ST_X ST_Y
    """
)
_NOT_OPAQUE = _PURE_FUNCTIONS | _SYNTAX | _NOT_REPEATABLE | _LOCK_FUNCTIONS | _PREVIOUS_FUNCTIONS

# --- SET -------------------------------------------------------------------------------------

_LITERAL = r"""(?: ['"] | [+-]?\d[\w.]*+ | (?!CURRENT_|LOCALTIME|UTC_)[A-Z][\w$]*+ )"""
_SET_STATEMENT = re.compile(r"SET\s+STATEMENT\b.*?\bFOR\b", _FLAGS)
_SET_ACCOUNT = re.compile(r"SET\s+(?:PASSWORD|DEFAULT\s+ROLE)\b", re.ASCII)
_SET_TRANSACTION = re.compile(r"SET\s+(?:(GLOBAL|SESSION|LOCAL)\s+)?TRANSACTION\b", re.ASCII)
_SET_TRANSACTION_SCOPES = {
    None: Effect.TRANSACTION,
    "GLOBAL": Effect.NONE,
    "SESSION": Effect.SETS,
    "LOCAL": Effect.SETS,
}
_SET_WORDS = re.compile(
    rf"""SET \s+ (?: NAMES | CHARSET | CHARACTER\s+SET | ROLE ) \s* {_LITERAL}
         (?: \s+ COLLATE \s* {_LITERAL} )?""",
    _FLAGS,
)
_ASSIGNMENT = re.compile(
    rf"""\s* (?: (?P<scope>GLOBAL|PERSIST|PERSIST_ONLY|SESSION|LOCAL) \s+
             | (?P<at>@@) (?: (?P<at_scope>GLOBAL|PERSIST|PERSIST_ONLY|SESSION|LOCAL) \s*\.\s* )?
             )?
         (?P<name>[\w$]+) \s* = \s* {_LITERAL} \s*""",
    _FLAGS,
)
_LASTING_SCOPES = {"GLOBAL", "PERSIST", "PERSIST_ONLY"}
# SET @@name, with no scope, changes these for the next transaction only.
_NEXT_TRANSACTION = {
    "TRANSACTION_ISOLATION",
    "TRANSACTION_READ_ONLY",
    "TX_ISOLATION",
    "TX_READ_ONLY",
}
# What these mean depends on the moment or on replication: not to be set again behind one's back.
_UNREPLAYABLE = re.compile(
    r"""SQL_LOG_BIN | TIMESTAMP | INSERT_ID | LAST_INSERT_ID | IDENTITY | RAND_SEED\d | PSEUDO_\w+
      | GTID_\w+ | BINLOG_\w+ | SESSION_TRACK_\w+ | WSREP_\w+ | SERVER_ID | SKIP_REPLICATION
      | COMPLETION_TYPE""",
    _FLAGS,
)


def _set(code: str) -> Effect:
    if statement := _SET_STATEMENT.match(code):
        head = statement[0]
        effect = _effect_of_statement(code[len(head) :].strip(_SPACE))
        settings = _uses(head, _functions(head))
        return _together(effect, settings) if settings else effect
    if _SET_ACCOUNT.match(code):
        return Effect.IMPLICIT_COMMIT
    if transaction := _SET_TRANSACTION.match(code):
        return _SET_TRANSACTION_SCOPES[transaction[1]]
    if _SET_WORDS.fullmatch(code):
        return Effect.SETS
    if "(" in code:
        # An expression, whose commas need not separate assignments, and perhaps a function.
        return _uses(code, _functions(code)) | Effect.PINS
    return _assignments(code[len("SET") :])


def _assignments(code: str) -> Effect:
    effects = []
    for text in code.split(","):
        assignment = _ASSIGNMENT.fullmatch(text)
        if assignment is None:
            return Effect.PINS  # Not a literal: an expression, another variable, a placeholder.
        effects.append(_assignment(assignment))
    if Effect.NONE in effects and any(effects):
        # Setting it again for the session would set it again for the whole server; and whose b
        # is it in SET GLOBAL a = 1, b = 2?
        effects.append(Effect.PINS)
    return _together(*effects)


def _assignment(found: re.Match[str]) -> Effect:
    scope, name = found["scope"] or found["at_scope"], found["name"]
    if scope in _LASTING_SCOPES:
        return Effect.NONE
    if name == "AUTOCOMMIT" or (name in _NEXT_TRANSACTION and found["at"] and not scope):
        return Effect.TRANSACTION
    return Effect.PINS if _UNREPLAYABLE.fullmatch(name) else Effect.SETS


def _show(code: str) -> Effect:
    return Effect.USES_PREVIOUS if _SHOW_PREVIOUS.match(code) else _query(code)


def _with(code: str) -> Effect:
    return _write(code) if _WRITE_VERB.search(code) else _query(code)


def _kill(code: str) -> Effect:
    return _uses(code, _functions(code))


def _do(code: str) -> Effect:
    return Effect.OPAQUE | _uses(code, _functions(code))


_LOOKED_INTO: dict[str, Callable[[str], Effect]] = {
    **dict.fromkeys(("SELECT", "TABLE", "VALUES"), _query),
    **dict.fromkeys(("DELETE", "INSERT", "REPLACE", "UPDATE"), _write),
    **dict.fromkeys(("ANALYZE", "DESC", "DESCRIBE", "EXPLAIN"), _explain),
    "CREATE": _create,
    "DO": _do,
    "KILL": _kill,
    "SET": _set,
    "SHOW": _show,
    "WITH": _with,
}
