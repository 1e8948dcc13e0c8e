"""The Grafana dashboard's file, read with Grafana's own model and beside what is exported.

What its queries answer, a real Prometheus says in `tests/integrations/test_prometheus.py`.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.servers import missing

import django_lifeline.integrations
from django_lifeline.core.pool import Pool

DASHBOARD = Path(django_lifeline.integrations.__file__).with_name("grafana-dashboard.json")
METRIC = re.compile(r"django_lifeline_\w+")
VARIABLE = re.compile(r"\$\{?(\w+)")
COLUMNS = 24
OF_GRAFANA = {"__rate_interval"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


@pytest.fixture(scope="module")
def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text())


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of all samples that the exporter can have."""
    pytest.importorskip("prometheus_client")
    from django_lifeline.integrations import prometheus

    monkeypatch.setattr(prometheus, "observe", lambda observer: None)
    monkeypatch.setattr(Pool, "tells_waits", False)
    return {
        family.name + suffix
        for family in prometheus.LifelineCollector().describe()
        for suffix in SUFFIXES[family.type]
    }


def targets(dashboard: Any) -> list[Any]:
    return [target for panel in dashboard["panels"] for target in panel["targets"]]


def lost(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """The places of ``ours`` that are not in ``theirs``, or are something else there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        pairs = [(f"{path}/{key}", value, theirs.get(key)) for key, value in ours.items()]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        both = zip(ours, theirs, strict=True)
        pairs = [(f"{path}/{number}", *pair) for number, pair in enumerate(both)]
    else:
        return [] if ours == theirs else [path]
    return [place for name, one, other in pairs for place in lost(one, other, name)]


def as_grafana_reads(dashboard: Any) -> Any:
    """The dashboard through the model that Grafana's makers publish, and back."""
    if importlib.util.find_spec("grafana_foundation_sdk") is None:
        missing("Grafana's model is not installed: pip install grafana-foundation-sdk")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def test_grafanas_own_model_knows_every_field_of_the_dashboard(dashboard: Any) -> None:
    assert lost(dashboard, as_grafana_reads(dashboard)) == []


def test_grafanas_own_model_drops_a_field_it_does_not_know(dashboard: Any) -> None:
    # Otherwise the test above would say nothing.
    wrong = json.loads(DASHBOARD.read_text())
    wrong["panels"][4]["options"]["legend"]["plaecment"] = "bottom"
    wrong["panels"][4]["targets"][0]["query"] = "up"
    assert lost(wrong, as_grafana_reads(wrong)) == [
        "/panels/4/options/legend/plaecment",
        "/panels/4/targets/0/query",
    ]


def test_dashboard_can_be_imported_anywhere_and_again(dashboard: Any) -> None:
    assert dashboard["uid"] == "django-lifeline"
    assert dashboard["schemaVersion"] == 39
    # Grafana gives one to each dashboard that it keeps; a file's would overwrite another's.
    assert "id" not in dashboard
    places = [*dashboard["panels"], *targets(dashboard), *dashboard["templating"]["list"][1:]]
    assert [place for place in places if place["datasource"] != SOURCE] == []


def test_panels_are_told_apart_and_explained(dashboard: Any) -> None:
    panels = dashboard["panels"]
    for key in ("id", "title", "description"):
        assert len({panel[key] for panel in panels}) == len(panels)
    for panel in panels:
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_panels_fill_the_grid_and_none_covers_another(dashboard: Any) -> None:
    cells = [
        (column, row)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for column, row in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    height = 1 + max(row for _, row in cells)
    assert sorted(cells) == sorted(itertools.product(range(COLUMNS), range(height)))


def test_every_query_asks_for_what_is_exported_and_for_the_chosen_pools(
    dashboard: Any, exported: set[str]
) -> None:
    for target in targets(dashboard):
        asked = METRIC.findall(target["expr"])
        assert asked, target
        assert set(asked) <= exported, target
        assert target["expr"].count('{job=~"$job", pool=~"$pool"') == len(asked), target


def test_everything_that_is_exported_is_shown_save_what_is_a_setting(
    dashboard: Any, exported: set[str]
) -> None:
    shown = {name for target in targets(dashboard) for name in METRIC.findall(target["expr"])}
    assert exported - shown == {"django_lifeline_connections_min"}


def test_every_variable_is_declared_and_asks_for_what_is_exported(
    dashboard: Any, exported: set[str]
) -> None:
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    used = set(VARIABLE.findall(json.dumps([dashboard["panels"], *variables.values()])))
    assert used - OF_GRAFANA - {"__all"} == variables.keys()
    asked = [METRIC.findall(variables[name]["query"]["query"]) for name in ("job", "pool")]
    assert set(itertools.chain(*asked)) <= exported
    assert all(asked)
