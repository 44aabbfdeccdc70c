"""A server on loopback that speaks the wire of every hosted service, and does wrong on request."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KEY = "sk-very-secret-1234567890"


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeService:
    """`script` holds replies that come before the usual ones: (status, headers, JSON)."""

    clip: bytes
    script: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    polls_until_done: int = 2
    failure: str | None = None  # the job fails with these words
    truncate: bool = False
    calls: list[Call] = field(default_factory=list)
    other: FakeService | None = None  # where downloads are redirected to
    url: str = ""

    @property
    def orders(self) -> list[Call]:
        return [c for c in self.calls if c.method == "POST" and ":fetchPredict" not in c.path]

    def answer(self, call: Call) -> tuple[int, dict[str, str], Any]:
        self.calls.append(call)
        if self.script:
            return self.script.pop(0)
        path = urlsplit(call.path).path
        if path.endswith(("/content", "/file.mp4")):
            if self.other is not None:
                return 302, {"Location": f"{self.other.url}/file.mp4"}, b""
            return 200, {"Content-Type": "video/mp4"}, self.clip
        polls = sum(c.method == "GET" or ":fetchPredict" in c.path for c in self.calls)
        if call.method == "POST" and ":fetchPredict" not in path:
            name = "projects/p/locations/us-central1/publishers/google/models/veo/operations/job-1"
            return 200, {}, {"id": "job-1", "name": name, "status": "queued", "state": "queued"}
        return 200, {}, self._state(path, polls)

    def _state(self, path: str, polls: int) -> dict[str, Any]:
        is_done = polls >= self.polls_until_done
        failed = self.failure if is_done else None
        if "/v1/videos/" in path:
            status = "failed" if failed else "completed" if is_done else "in_progress"
            error = {"code": "x", "message": failed} if failed else None
            return {"id": "job-1", "status": status, "progress": 100 if is_done else 40, "error": error}
        if "/v1/tasks/" in path:
            status = "FAILED" if failed else "SUCCEEDED" if is_done else "RUNNING"
            reply: dict[str, Any] = {"id": "job-1", "status": status, "failure": failed}
            return reply | ({"output": [f"{self.url}/file.mp4"]} if is_done and not failed else {})
        if "/dream-machine/" in path:
            state = "failed" if failed else "completed" if is_done else "dreaming"
            assets = {"video": f"{self.url}/file.mp4"} if is_done and not failed else None
            return {"id": "job-1", "state": state, "failure_reason": failed, "assets": assets}
        if "/interactions/" in path:
            part = {"type": "video", "mime_type": "video/mp4", "data": base64.b64encode(self.clip).decode()}
            steps = [{"type": "model_output", "content": [{"type": "text"}, part]}]
            status = "failed" if failed else "completed" if is_done else "in_progress"
            return {"id": "job-1", "status": status, "error": failed, "steps": steps if is_done else []}
        if path.endswith(":fetchPredictOperation"):
            if not is_done:
                return {"name": "operations/job-1"}
            if failed:
                return {"done": True, "error": {"code": 3, "message": failed}}
            video = {"bytesBase64Encoded": base64.b64encode(self.clip).decode(), "mimeType": "video/mp4"}
            return {"done": True, "response": {"videos": [video]}}
        raise AssertionError(f"nobody asks for {path}")


@contextmanager
def running(service: FakeService) -> Iterator[FakeService]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            call = Call(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            status, headers, reply = service.answer(call)
            data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            is_cut = service.truncate and data is service.clip
            self.wfile.write(data[: len(data) // 2] if is_cut else data)
            if is_cut:
                self.close_connection = True

        do_GET = do_POST = do_DELETE = _handle

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
