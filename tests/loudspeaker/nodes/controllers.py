"""A controller that enrols at a started app, as the real program does, without a network."""

import ssl
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient

from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.node import enrol


class Network:
    """The way from a controller to `app`; counts requests, and fails after `cut_after` of them."""

    def __init__(self, app: FastAPI, cut_after: int | None = None) -> None:
        self.app, self.cut_after = app, cut_after
        self.asked: list[str] = []
        self.verified: list[bool] = []

    def __call__(self, server: str, verify: ssl.SSLContext | bool) -> AbstractContextManager[TestClient]:
        client = TestClient(self.app, base_url=server, follow_redirects=False)
        self.verified.append(verify is True or (isinstance(verify, ssl.SSLContext) and verify.check_hostname))
        client.event_hooks = {"request": [self._on_request]}
        return nullcontext(client)  # its own block would start the app anew

    def _on_request(self, request: object) -> None:
        if self.cut_after is not None and len(self.asked) >= self.cut_after:
            raise PowerCut
        self.asked.append(str(getattr(request, "url", "")))


class PowerCut(Exception):
    """Everything stops here."""


def enrolled(app: FastAPI, token: str, out: Path, replace: bool = False) -> NodeConfig:
    """The pole that a token makes of a fresh controller, with its file at `out`."""
    return enrol.enrol(token, out, "0.1.0", replace, Network(app))
