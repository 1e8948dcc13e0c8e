"""django-debug-toolbar: this process's pools, and the losses met during the request."""

from __future__ import annotations

from typing import Any

from django.template import Context, Engine

from django_lifeline.core import clock
from django_lifeline.diagnosis.recent import recent
from django_lifeline.integrations.base import missing

try:
    from debug_toolbar.panels import Panel
except ImportError as error:
    raise missing("debug_toolbar") from error

FIGURES = ("size", "max_size", "idle", "used", "waiting", "lends", "opened", "discarded")

PAGE = """
<h4>Pools of this process</h4>
<table><thead><tr><th>pool</th>{% for name in figures %}<th>{{ name }}</th>{% endfor %}</tr></thead>
{% for pool in pools %}<tr><td>{{ pool.name }}</td>
{% for number in pool.numbers %}<td>{{ number }}</td>{% endfor %}</tr>{% endfor %}</table>
<h4>Losses during the request</h4>
{% for loss in losses %}<p><b>{{ loss.cause }}</b>, {{ loss.outcome }}: {{ loss.told }}</p>
{% empty %}<p>None.</p>{% endfor %}
"""


class ConnectionsPanel(Panel):
    """What the pools held when the answer was ready, and what this process lost until then."""

    title = nav_title = "Connections"

    def process_request(self, request: Any) -> Any:
        """Note when the request began."""
        self._began = clock.now()
        return super().process_request(request)

    def generate_stats(self, request: Any, response: Any) -> None:
        """Keep plain values: the toolbar shows them later, perhaps from another process."""
        from django_lifeline.backends.assembly import targets

        pools = [target.pool.stats() for target in targets]
        losses = [loss for loss in recent.latest() if loss.at >= self._began]
        self.record_stats(
            {
                "figures": FIGURES,
                "pools": [
                    {"name": pool.name, "numbers": [getattr(pool, name) for name in FIGURES]}
                    for pool in pools
                ],
                "losses": [
                    {
                        "cause": loss.diagnosis.title,
                        "outcome": "restored" if loss.healed else "raised",
                        "told": str(loss.diagnosis),
                    }
                    for loss in losses
                ],
            }
        )

    @property
    def nav_subtitle(self) -> str:
        """How much was lost, in the toolbar itself."""
        return f"{len(self.get_stats().get('losses', ()))} lost"

    @property
    def content(self) -> str:
        """The panel's HTML."""
        return Engine().from_string(PAGE).render(Context(self.get_stats()))
