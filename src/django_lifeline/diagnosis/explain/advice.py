"""Lines of advice: broken to a terminal's width, and each piece said once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django_lifeline.diagnosis.saying import Translate, say
from django_lifeline.diagnosis.text import N_, text_lines

_WIDTH = 96


class Advice:
    """What has been said already: advice that a later group shares is only pointed to there."""

    def __init__(self, translate: Translate) -> None:
        self.translate = translate
        self._said: dict[str, int] = {}

    def once(self, place: int, text: str) -> str:
        """Return *text*, or a pointer to the group that has it."""
        first = self._said.setdefault(text, place)
        return text if first == place else self._as_before((first,))

    def listed(self, place: int, mark: str, items: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Yield the texts that are new here, each with its page, and one line for the others."""
        before = []
        for text, page in items:
            first = self._said.setdefault(text, place)
            if first != place:
                before.append(first)
                continue
            yield from wrapped(self.translate(text), f"      {mark} ", "        ")
            if page:
                yield f"        {page}"
        if before:
            yield f"      {mark} {self._as_before(before)}"

    def _as_before(self, places: Iterable[int]) -> str:
        told = ", ".join(str(place) for place in sorted(set(places)))
        return say(N_("as in {places}"), places=told).told(self.translate)


def wrapped(text: str, first: str, rest: str | None = None) -> list[str]:
    """Return *text* as lines that begin with *first*, and further ones with *rest*."""
    return text_lines(text, _WIDTH, first, first if rest is None else rest)
