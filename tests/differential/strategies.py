"""Programs as Hypothesis draws them.

The same author writes them as by a seed; Hypothesis is where he draws from. It is no
`RuleBasedStateMachine`: a program runs twice, with stock Django first, so it must be there as a
whole before its first step. And what fails is made small by `minimise`, not by Hypothesis: that
makes draws smaller, each of which changes all that is drawn after it, and every try costs a run
with both engines.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.generation import write
from tests.differential.steps import Program


@st.composite
def programs(draw: st.DrawFn, *, faults: bool = True) -> Program:
    """A random program."""
    return write(draw(st.randoms(use_true_random=False)), faults=faults)
