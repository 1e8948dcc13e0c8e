"""The report and its drawings."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

from tests.unit.lab.fakes import result, scenario

from lifeline_lab.drawing import WIDTH, Axis, draw, lane_names, sessions
from lifeline_lab.history import Event
from lifeline_lab.judges import Kind
from lifeline_lab.report import as_html, as_json

MAIN = "10 MainThread"
HISTORY = (
    Event(0.0, "ready", lane=MAIN),
    Event(0.1, "start", "read", MAIN),
    Event(0.11, "connected", "default", MAIN, {"session": 7}),
    Event(0.12, "ok", "read", MAIN),
    Event(0.2, "pause", "night", MAIN),
    Event(0.25, "session opened", "", "server", {"session": 7}),
    Event(1.2, "session ended", "", "server", {"session": 7}),
    Event(1.3, "fault", "wait_timeout passed", "lab"),
    Event(1.4, "resume", "night", MAIN),
    Event(1.5, "start", "save <it>", MAIN),
    Event(1.6, "fail", "save <it>", MAIN, {"error": "OperationalError", "code": 2006}),
    Event(1.7, "done", lane=MAIN),
)


def texts(drawing: str) -> list[str]:
    return ["".join(found.itertext()) for found in ElementTree.fromstring(drawing).iter("text")]


def test_drawing_names_lanes_sessions_faults_and_errors() -> None:
    shown = texts(draw(HISTORY, "a title"))

    assert {"program", "server", "session 7", "wait_timeout passed", "2006"} <= set(shown)
    assert any(words.startswith("night") for words in shown)


def test_drawing_without_history_is_still_a_drawing() -> None:
    assert ElementTree.fromstring(draw((), "nothing")).tag == "svg"


def test_wrong_answer_is_drawn_as_wrong_though_it_came() -> None:
    history = (
        Event(0, "ready", lane=MAIN),
        Event(1, "start", "ask", MAIN),
        Event(2, "ok", "ask", MAIN, {"wanted": "mine", "value": "yours"}),
    )

    assert "wrong rows" in texts(draw(history, ""))


def test_many_sessions_are_drawn_as_their_number() -> None:
    history = tuple(
        Event(number, "connected", "default", MAIN, {"session": number}) for number in range(9)
    )

    assert "up to 9 sessions" in texts(draw((Event(0, "ready", lane=MAIN), *history), ""))


def test_session_begins_where_the_program_saw_it_first() -> None:
    (bar,) = sessions(HISTORY, 1.7)

    assert (bar.begin, bar.end, bar.ended) == (0.11, 1.2, True)


def test_session_without_an_end_lasts_to_the_end() -> None:
    (bar,) = sessions((Event(1, "connected", facts={"session": 3}),), 9)

    assert (bar.end, bar.ended) == (9, False)


def test_axis_keeps_the_order_of_times_and_its_bounds() -> None:
    axis = Axis([0, 0.001, 0.002, 60.0], 10, 100)

    places = [axis.x(t) for t in (0, 0.001, 0.002, 30, 60, 99)]
    assert places == sorted(places)
    assert (places[0], round(places[-2], 6), places[-1]) == (10, 100, axis.x(60))


def test_children_are_numbered_and_threads_keep_their_names() -> None:
    lanes = [MAIN, "11 MainThread", "12 MainThread", "10 worker_1"]

    assert list(lane_names(HISTORY, lanes).values()) == [
        "program",
        "child 1",
        "child 2",
        "worker_1",
    ]


def page() -> str:
    results = [
        result("stock", Kind.BROKEN, "2006", history=HISTORY),
        result("lifeline", Kind.SURVIVED, history=HISTORY),
        result("stock", Kind.SURVIVED, driver="pymysql"),
    ]
    return as_html(results, {"Django": "9.9"})


def test_page_shows_the_matrix_the_versions_and_both_timelines() -> None:
    html = page()

    assert "✗ 2006" in html
    assert "✓ survived" in html
    assert "proves nothing" in html
    assert "9.9" in html
    assert html.count('class="timeline"') == 2


def test_page_is_self_contained() -> None:
    html = page()

    assert not re.search(r"(src|href)=[\"']?(https?:|//)", html)
    assert "url(" not in html
    assert "@import" not in html


def test_page_escapes_what_it_shows() -> None:
    html = page()

    assert "A story with &lt;angle&gt; brackets." in html
    assert "save <it>" not in html


def test_ids_in_the_page_are_unique_and_links_lead_somewhere() -> None:
    html = page()
    ids = re.findall(r'id="([^"]+)"', html)

    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)


def test_drawings_stay_within_their_frame() -> None:
    frame = ElementTree.fromstring(draw(HISTORY, ""))

    for shape in frame.iter("rect"):
        assert float(shape.get("x", 0)) >= 0
        assert float(shape.get("x", 0)) + float(shape.get("width", 0)) <= WIDTH


def test_json_carries_verdicts_and_histories() -> None:
    control = scenario(must_break=())
    found = as_json(
        [result("lifeline", Kind.SURVIVED, of=control, history=HISTORY)], {"Django": "9.9"}
    )

    again = json.loads(json.dumps(found))
    assert again["succeeded"] is True
    assert again["cells"][0]["verdict"] == "survived"
    assert again["cells"][0]["history"][2]["facts"] == {"session": 7}
