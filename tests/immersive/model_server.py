"""A language model's endpoint on loopback: answers what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Status and body of each answer in turn; the last one repeats. A callable writes to the socket itself.
Answer = tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class ModelServer:
    """What was asked, and what is answered."""

    answers: list[Answer]
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def completion(content: object, finish_reason: str = "stop") -> tuple[int, bytes]:
    """Return a chat completion whose message is `content`, as JSON unless it is a string."""
    text = content if isinstance(content, str) else json.dumps(content)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return 200, json.dumps({"id": "x", "object": "chat.completion", "choices": [choice]}).encode()


@contextmanager
def serving(*answers: Answer) -> Iterator[ModelServer]:
    """Serve `answers` on a free port of loopback."""
    state = ModelServer(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            state.asked.append(json.loads(self.rfile.read(length)))
            state.headers.append(dict(self.headers))
            state.paths.append(self.path)
            answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            if callable(answer):
                answer(self)
                return
            status, body = answer
            self.send_response(status)
            if status == 307:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
