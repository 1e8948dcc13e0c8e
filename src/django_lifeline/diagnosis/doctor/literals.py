"""Reads the simple assignments of a Python file without running it.

What configuration files hold in practice: literals, arithmetic, the number of CPUs, environment
variables with defaults, and names assigned before. Anything else is left unread, and said so.
"""

from __future__ import annotations

import ast
import operator
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django_lifeline.diagnosis.saying import Said, say
from django_lifeline.diagnosis.text import N_

LONGEST = 200_000
"""Characters of a file that are read; a configuration is shorter."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_CONVERSIONS: dict[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "min": min,
    "max": max,
    "round": round,
}
_CPUS = ("multiprocessing.cpu_count", "os.cpu_count", "cpu_count", "mp.cpu_count")
_ENVIRONMENT = ("os.environ.get", "os.getenv", "environ.get", "getenv")


class Unread(Exception):
    """An expression that is not simple; `why` says what it is."""

    def __init__(self, text: str, /, **values: object) -> None:
        super().__init__(text)
        self.why = say(text, **values)


def assignments(text: str) -> tuple[dict[str, Any], dict[str, Said]]:
    """Return the values assigned at the top of a file, and why others could not be read.

    ``app.conf.x = 1`` and ``app.conf.update(x=1)`` count as ``x``. A later one replaces an
    earlier one; what stands in an ``if`` is unread. Raises ``SyntaxError``.
    """
    values: dict[str, Any] = {}
    unread: dict[str, Said] = {}
    for name, node in _assigned(ast.parse(text[:LONGEST]).body):
        try:
            if node is None:
                raise Unread(N_("it is set inside a block"))
            values[name] = evaluate(node, values)
            if values[name] is None and isinstance(node, ast.Call):
                raise Unread(N_("its environment variable is not set here"))
            unread.pop(name, None)
        except (Unread, TypeError, ValueError, ArithmeticError) as error:
            values.pop(name, None)
            cannot = N_("it cannot be worked out here")
            unread[name] = error.why if isinstance(error, Unread) else say(cannot)
    return values, unread


def _assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield each assignment's name and value; no value for what is set in a block."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((name, node.value) for it in targets if (name := _target(it)))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _updates(node.value)
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.For):
            yield from ((name, None) for name in _in_block(node))


def _in_block(block: ast.stmt) -> Iterator[str]:
    for node in ast.walk(block):
        if isinstance(node, ast.Assign):
            yield from (name for it in node.targets if (name := _target(it)))


def _updates(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "update":
        yield from ((word.arg, word.value) for word in call.keywords if word.arg)


def _target(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def evaluate(node: ast.expr, names: dict[str, Any]) -> Any:
    """Return the value of a simple expression; `Unread` for any other."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise Unread(N_("it uses {name}, which is not set here"), name=node.id)
        return names[node.id]
    if isinstance(node, ast.BinOp):
        return _calculate(node, names)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(evaluate(node.operand, names))
    if isinstance(node, ast.BoolOp):
        return _either(node, names)
    if isinstance(node, ast.Call):
        return _call(node, names)
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("os.environ", "environ"):
        name = evaluate(node.slice, names)
        if name not in os.environ:
            raise Unread(N_("the environment variable {name} is not set here"), name=name)
        return os.environ[name]
    raise Unread(N_("it is more than a simple expression"))


def _calculate(node: ast.BinOp, names: dict[str, Any]) -> Any:
    how = _ARITHMETIC.get(type(node.op))
    if how is None:
        raise Unread(N_("it is more than simple arithmetic"))
    left, right = evaluate(node.left, names), evaluate(node.right, names)
    # Numbers only: repeating a text could fill the memory.
    return how(_number(left), _number(right))


def _number(value: Any) -> Any:
    if not isinstance(value, int | float):
        raise Unread(N_("it calculates with what is not a number"))
    return value


def _either(node: ast.BoolOp, names: dict[str, Any]) -> Any:
    value = None
    for operand in node.values:
        value = evaluate(operand, names)
        if bool(value) is isinstance(node.op, ast.Or):
            break
    return value


def _call(node: ast.Call, names: dict[str, Any]) -> Any:
    function = ast.unparse(node.func)
    if node.keywords:
        raise Unread(N_("it calls {function} with keywords"), function=function)
    if function in _CPUS:
        return os.cpu_count() or 1
    given = [evaluate(word, names) for word in node.args]
    if function in _ENVIRONMENT:
        return os.environ.get(*given)
    if function in _CONVERSIONS:
        return _CONVERSIONS[function](*given)
    raise Unread(N_("it calls {function}"), function=function)
