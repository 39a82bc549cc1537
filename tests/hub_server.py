"""A server that speaks as much of the protocol of Hugging Face's hub as an upload needs, here only."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(ThreadingHTTPServer):
    """Remembers what it is told; its one repository is ``me/model``.

    Args:
        private: Whether that is one for its owner alone.
        status: That of every answer.

    Attributes:
        created: What was asked for, of each repository.
        files: What was committed, by path.
        summary: The message of the last commit.
        tokens: Those by which it was asked.
    """

    daemon_threads = True

    def __init__(self, private: bool = False, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.private, self.status = private, status
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.summary = ""
        self.tokens: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def told(self, path: str, body: bytes) -> dict[str, Any]:
        """The answer to a request."""
        match path.split("/")[2:]:
            case ["repos", "create"]:
                self.created.append(json.loads(body))
                return {"url": f"{self.address}/me/model"}
            case ["models", "me", "model"]:
                return {"id": "me/model", "private": self.private, "siblings": []}
            case ["models", "me", "model", "preupload", "main"]:
                asked = json.loads(body)["files"]
                known = {"uploadMode": "regular", "shouldIgnore": False}
                return {"files": [{"path": file["path"], **known} for file in asked]}
            case ["models", "me", "model", "commit", "main"]:
                head, *lines = (json.loads(line)["value"] for line in body.splitlines())
                self.summary = head["summary"]
                self.files = {line["path"]: b64decode(line["content"]) for line in lines}
                return {"commitUrl": f"{self.address}/me/model/commit/1", "commitOid": "1"}
        return {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, format: str, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers["Authorization"]:
            self.server.tokens.add(self.headers["Authorization"].removeprefix("Bearer "))
        content = json.dumps(self.server.told(self.path, body)).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815 - the name of the standard library
