"""Runs the recipes of the guide about credentials, each against a stand-in of its service."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from django.db import connections
from tests.fixtures.program_setup import admin
from tests.fixtures.programs import ROOT
from tests.server.programs.toolbox import database, forget, one, outcome, say

from django_lifeline import pools
from django_lifeline.core import clock

GUIDE = ROOT / "docs" / "guides" / "credentials.md"
WHO = "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)"


def recipes() -> dict[str, str]:
    """The code of each recipe, by the first word of its heading."""
    text = GUIDE.read_text().partition("## Recipes\n")[2].partition("\n## ")[0]
    found = re.findall(r"^### (\w+).*?\n```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return dict(found)


class Service:
    """Hands out passwords that the server takes until the next one is handed out."""

    def __init__(self) -> None:
        self.asked = 0
        self.users = 0

    def token(self, user: str = "shop") -> str:
        self.asked += 1
        token = f"token-{self.asked}"
        admin(f"CREATE USER IF NOT EXISTS '{user}'@'%%' IDENTIFIED BY '{token}'")
        admin(f"ALTER USER '{user}'@'%%' IDENTIFIED BY '{token}'")
        admin(f"GRANT ALL ON *.* TO '{user}'@'%%'")
        return token

    def lease(self) -> dict[str, Any]:
        if self.users:
            admin(f"DROP USER 'lease_{self.users}'@'%%'")
        self.users += 1
        user = f"lease_{self.users}"
        return {"lease_duration": 60, "data": {"username": user, "password": self.token(user)}}


def module(name: str, **contents: Any) -> None:
    """Put a module of that name in the place of the real one."""
    made = types.ModuleType(name)
    made.__dict__.update(contents)
    sys.modules[name] = made
    parent, _, child = name.rpartition(".")
    if parent:
        if parent not in sys.modules:
            module(parent)
        setattr(sys.modules[parent], child, made)


def amazon(service: Service) -> None:
    def generate(*, DBHostname: str, Port: int, DBUsername: str) -> str:  # noqa: N803
        return service.token(DBUsername)

    client = types.SimpleNamespace(generate_db_auth_token=generate)
    module("boto3", client=lambda name, region_name: client)


def google(service: Service) -> None:
    class Account:
        token, expiry = "", datetime.min

        def refresh(self, request: object) -> None:
            self.token = service.token()
            # As google.auth has it: UTC, without a time zone.
            self.expiry = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None)

    module("google.auth", default=lambda scopes: (Account(), "project"))
    module("google.auth.transport.requests", Request=object)


def azure(service: Service) -> None:
    class Default:
        def get_token(self, scope: str) -> Any:
            end = int(clock.now()) + 3600
            return types.SimpleNamespace(token=service.token(), expires_on=end)

    module("azure.identity", DefaultAzureCredential=Default)


class Vault(BaseHTTPRequestHandler):
    """Answers as ``database/creds/<role>`` does."""

    service: Service

    def do_GET(self) -> None:
        right = self.headers["X-Vault-Token"] == "vault-token"
        body = json.dumps(self.service.lease()).encode() if right else b"{}"
        self.send_response(200 if right else 403)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def hashicorp(service: Service) -> Callable[[], None]:
    Vault.service = service
    server = HTTPServer(("127.0.0.1", 0), Vault)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    os.environ["VAULT_ADDR"] = f"http://127.0.0.1:{server.server_port}"
    os.environ["VAULT_TOKEN"] = "vault-token"

    def end() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    return end


def connect_anew(alias: str) -> str:
    connections[alias].close()
    pools[alias].drain()
    return outcome(lambda: one(alias, WHO))


def asked_again(alias: str, service: Service) -> dict[str, Any]:
    """Connect, connect again, and connect when the first answer is over."""
    said: dict[str, Any] = {"first": [connect_anew(alias) for _ in range(2)]}
    said["asked"] = service.asked
    really = clock.now
    clock.now = lambda: really() + 7200
    said["later"] = connect_anew(alias)
    clock.now = really
    said["asked_later"] = service.asked
    forget(alias)
    return said


def mounted(code: str) -> dict[str, Any]:
    """A secret that is replaced as a kubelet does it: by another folder behind a link."""
    space: dict[str, Any] = {}
    exec(code, space)
    path = Path(space["OPTIONS"]["lifeline"]["password_file"])
    folder = Path(os.environ["MOUNTED"])
    service, link = Service(), folder / "..data"

    def mount() -> None:
        version = folder / f"..{service.asked}"
        version.mkdir()
        (version / path.name).write_text(f"{service.token()}\n")
        fresh = folder / "..fresh"
        fresh.symlink_to(version.name)
        fresh.rename(link)

    mount()
    (folder / path.name).symlink_to(f"..data/{path.name}")
    options = {"lifeline": {"password_file": str(folder / path.name)}}
    alias = database("mounted", "lifeline", USER="shop", OPTIONS=options)
    outcomes = []
    for _ in range(3):
        outcomes.append(connect_anew(alias))
        mount()
    forget(alias)
    return {"outcomes": outcomes, "path": str(path)}


def main() -> None:
    found = recipes()
    stand_ins: dict[str, Callable[[Service], Any]] = {
        "Amazon": amazon,
        "Google": google,
        "Azure": azure,
        "HashiCorp": hashicorp,
    }
    said: dict[str, Any] = {"known": sorted(found)}
    for name, stand_in in stand_ins.items():
        service = Service()
        end = stand_in(service)
        module(f"shop_{name}")
        sys.modules[f"shop_{name}"].__dict__["__file__"] = str(GUIDE)
        exec(compile(found[name], str(GUIDE), "exec"), sys.modules[f"shop_{name}"].__dict__)
        options = {"lifeline": {"credentials": f"shop_{name}.database_password"}}
        alias = database(name, "lifeline", USER="shop", PASSWORD="", OPTIONS=options)
        said[name] = asked_again(alias, service)
        if end is not None:
            end()
    said["Kubernetes"] = mounted(found["Kubernetes"])
    say(said)


if __name__ == "__main__":
    main()
