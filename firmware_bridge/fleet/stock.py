"""Where the fleet's recordings and documents come from: the server's HTTP, asked once for what all poles share."""

import asyncio
import hashlib
import ssl
from enum import StrEnum

import httpx2

from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.node.effects import Want
from firmware_bridge.node.inputs import OnDisk
from firmware_bridge.node.store import read_statements

AT_ONCE = 32
"""Requests of the whole fleet that run at the same time."""
AGAIN_S = 10.0


class Bytes(StrEnum):
    """How recordings are fetched."""

    VIRTUAL = "virtual"
    """Statements are asked for once for all poles; the bytes are taken as fetched."""
    REAL = "real"
    """Every pole downloads every recording, and hashes it."""


class Stock:
    """The server, as all poles of a fleet see it. Open and close it on the loop."""

    def __init__(self, kind: Bytes, timeout_s: float = 20.0) -> None:
        self.kind = kind
        self.fetched_bytes = 0
        self._timeout_s = timeout_s
        self._clients: dict[str | None, httpx2.AsyncClient] = {}
        self._statements: dict[str, asyncio.Task[tuple[Envelope, ...]]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def close(self) -> None:
        """Let go of all connections."""
        for client in self._clients.values():
            await client.aclose()

    async def recording(self, config: NodeConfig, want: Want) -> OnDisk:
        """A recording with its statements. Raises httpx2.HTTPError, ValueError (other bytes than the name says)."""
        statements = await self._statements_of(config, want.sha256)
        if self.kind is Bytes.VIRTUAL and want.bytes is not None:
            return OnDisk(want.sha256, want.bytes, statements)
        raw = await self._get(config, f"/recordings/{want.sha256}")
        self.fetched_bytes += len(raw)
        if hashlib.sha256(raw).hexdigest() != want.sha256:
            raise ValueError(f"{want.sha256} has other bytes")
        return OnDisk(want.sha256, len(raw), statements)

    async def document(self, config: NodeConfig, name: str) -> bytes:
        """`order` or `trust` of a node. Raises httpx2.HTTPError."""
        return await self._get(config, f"/nodes/me/{name}")

    async def _statements_of(self, config: NodeConfig, sha256: str) -> tuple[Envelope, ...]:
        task = self._statements.get(sha256)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._statements[sha256] = asyncio.create_task(self._read_statements(config, sha256))
        return await asyncio.shield(task)

    async def _read_statements(self, config: NodeConfig, sha256: str) -> tuple[Envelope, ...]:
        return read_statements(await self._get(config, f"/recordings/{sha256}/statement"))

    async def _get(self, config: NodeConfig, path: str) -> bytes:
        client = self._clients.get(config.ca)
        if client is None:
            verify = ssl.create_default_context(cadata=config.ca)
            client = self._clients[config.ca] = httpx2.AsyncClient(
                verify=verify, timeout=self._timeout_s, trust_env=False, follow_redirects=False)
        async with self._gate:
            answer = await client.get(config.server + path, headers={"Authorization": f"Bearer {config.api_token}"})
        answer.raise_for_status()
        return answer.content
