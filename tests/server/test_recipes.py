"""Every recipe of the guide about credentials, run against a stand-in of its service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.programs import Runner

from lifeline_lab.servers import Server

pytestmark = pytest.mark.drawn

PROGRAM = Path(__file__).parent / "programs" / "recipes.py"
USERS = {"Amazon": ("shop", "shop"), "Google": ("shop", "shop"), "Azure": ("shop", "shop")}
USERS["HashiCorp"] = ("lease_1", "lease_2")


@pytest.fixture
def said(run_program: Runner, server: Server, driver: str, tmp_path: Path) -> Any:
    yield run_program(PROGRAM, server, driver, env={"MOUNTED": str(tmp_path)}).json
    for user in ("shop", "lease_2"):
        server.query(f"DROP USER IF EXISTS '{user}'@'%'")


def test_each_recipe_connects_keeps_its_answer_and_asks_again_when_it_is_over(said: Any) -> None:
    assert said["known"] == sorted([*USERS, "Kubernetes"])
    for name, (first, later) in USERS.items():
        assert said[name]["first"] == [f"ok {first}"] * 2, name
        assert said[name]["asked"] == 1, name
        assert said[name]["later"] == f"ok {later}", name
        assert said[name]["asked_later"] == 2, name
    assert said["Kubernetes"]["outcomes"] == ["ok shop"] * 3
    assert said["Kubernetes"]["path"].startswith("/")
