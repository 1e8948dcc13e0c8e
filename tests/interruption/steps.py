"""Counts the bytecode-level steps of the engine's code, and lets an exception come at one of them.

A step is one instruction of a Python frame whose file belongs to the engine. `Counting` finds out
how many a piece of work takes; `Strike` runs the work again and breaks in at one of them:

* *here*: the exception is raised before that instruction, whichever it is. This is more than
  Python can do to a program, since it lets exceptions in at some instructions only;
* *next*: the exception is made pending before that instruction, in the way signals, other threads
  and gevent do it, and the interpreter itself raises it, where and when it pleases.

Where nothing can ever break in, between the last instruction of a ``with`` body and the call of
``__exit__``, *here* raises nothing: locks would seem to stay locked.
"""

from __future__ import annotations

import _thread
import ctypes
import dis
import functools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import django_lifeline

ENGINE = Path(django_lifeline.__file__).parent
FOLDERS = tuple(f"{ENGINE / name}/" for name in ("core", "backends"))
"""Decided by the path: a new file is seen without being named."""

POLLING = frozenset(
    {"RESUME", "CALL", "CALL_KW", "CALL_FUNCTION_EX", "JUMP_BACKWARD", "SEND", "YIELD_VALUE"}
)
"""Instructions at which the interpreter looks for signals and asynchronous exceptions."""


SEALED = "sealed"
"""The place of a step at which nothing can break in."""


class Struck(BaseException):
    """What an application throws into one of its threads."""


@functools.cache
def is_engine(code: CodeType) -> bool:
    """Whether the code is the engine's."""
    return code.co_filename.startswith(FOLDERS)


@functools.cache
def names(code: CodeType) -> dict[int, str]:
    """The instruction at each offset."""
    return {step.offset: step.opname for step in dis.get_instructions(code)}


@functools.cache
def sealed(code: CodeType) -> frozenset[int]:
    """The offsets at which no exception can come, though a trace function could raise one."""
    steps = list(dis.get_instructions(code))
    found = set()
    for at, step in enumerate(steps):
        following = [other.opname for other in steps[at : at + 5]]
        if _leaves_with(steps[at : at + 3], following):
            first = at - 1 if at and steps[at - 1].opname == "SWAP" else at
            found |= {other.offset for other in steps[first : at + 5] if other.opname != "POP_TOP"}
        if following[:2] == ["PUSH_EXC_INFO", "WITH_EXCEPT_START"]:
            found |= {step.offset, steps[at + 1].offset}
    return frozenset(found)


def _leaves_with(three: list[dis.Instruction], following: list[str]) -> bool:
    """Whether here the ``__exit__`` of a ``with`` gets its three Nones, and is called."""
    nones = [step for step in three if step.opname == "LOAD_CONST" and step.argval is None]
    return len(nones) == 3 and "CALL" in following[3:]


class Tracing:
    """Sees every step of the engine's code that one thread or greenlet takes."""

    def __init__(self) -> None:
        self.count = 0
        self._ident = threading.get_ident()

    def _seen(self, frame: FrameType) -> None:
        raise NotImplementedError

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        if not is_engine(frame.f_code) or threading.get_ident() != self._ident:
            return None
        frame.f_trace = self._step  # Python 3.13 wants it first
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._step

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode":
            self.count += 1
            self._seen(frame)
        return self._step

    def run(self, act: Callable[[], object]) -> BaseException | None:
        """Do a piece of work; what it raised is returned."""
        sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for one when tracing begins
        try:
            sys.settrace(self._call)
            try:
                act()
            finally:
                sys.settrace(None)
        except BaseException as error:
            return error
        return None


class Counting(Tracing):
    """Counts the steps, those of each file, and those at which the interpreter polls."""

    def __init__(self) -> None:
        super().__init__()
        self.files: Counter[str] = Counter()
        self.polling = 0

    def _seen(self, frame: FrameType) -> None:
        code = frame.f_code
        self.files[str(Path(code.co_filename).relative_to(ENGINE))] += 1
        self.polling += polls(frame)


class Strike(Tracing):
    """Breaks in at step ``at`` by raising ``error``.

    With ``pend``, which makes an exception pending, ``at`` counts the polling steps only.
    """

    def __init__(self, at: int, error: BaseException, pend: Any = None) -> None:
        super().__init__()
        self.at = at
        self.error = error
        self.pend = pend
        self.where = ""
        """The place of the step, once it was reached; empty before."""

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        if event != "opcode" or self.pend is not None and not polls(frame):
            return self._step
        self.count += 1
        if self.count != self.at:
            return self._step
        if self.pend is None and frame.f_lasti in sealed(frame.f_code):
            self.where = SEALED
            return self._step
        self.where = place(frame)
        sys.settrace(None)
        if self.pend is None:
            raise self.error
        # From here to the traced instruction nothing polls: no call, no loop.
        pend = self.pend
        return pend.now


def polls(frame: FrameType) -> bool:
    """Whether the interpreter polls in the instruction at which the frame stands."""
    return names(frame.f_code).get(frame.f_lasti) in POLLING


def place(frame: FrameType) -> str:
    """The place of the step at which the frame stands."""
    code = frame.f_code
    file = Path(code.co_filename).relative_to(ENGINE)
    step = names(code).get(frame.f_lasti, "?")
    return f"{file}:{frame.f_lineno} {code.co_qualname} at {step} ({frame.f_lasti})"


def pending_interrupt() -> Any:
    """``.now`` is a SIGINT that the main thread has not noticed yet. C code all the way."""

    class Interrupt(int):
        now = property(_thread.interrupt_main)

    return Interrupt(2)


def pending_async() -> Any:
    """``.now`` throws `Struck` into the calling thread, which has not noticed it yet."""
    throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
    ident, what = ctypes.c_ulong(threading.get_ident()), ctypes.py_object(Struck)

    class Thrown:
        _as_parameter_ = 0
        now = property(functools.partial(throw, ident, what))

    return Thrown()


@contextmanager
def unraisable() -> Iterator[list[BaseException]]:
    """What was raised inside finalizers meanwhile, where Python itself drops exceptions."""
    dropped: list[BaseException] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda found: dropped.append(found.exc_value or Struck())
    try:
        yield dropped
    finally:
        sys.unraisablehook = before
