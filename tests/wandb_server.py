"""A server that speaks as much of Weights & Biases' protocol as a run needs, on this machine only."""

from __future__ import annotations

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STORED = "artifact/"
KEY = "0123456789" * 4


class Server(ThreadingHTTPServer):
    """Remembers what it is told.

    Args:
        answers: Requests that it answers; the others get an error of its own (500).
        seconds: How long it thinks about each.

    Attributes:
        runs: The variables of each mutation that creates or changes a run.
        rows: The rows of the history, by their number.
        summary: The last summary.
        files: What was uploaded, the files of artifacts below :data:`STORED`.
        artifacts: The input of each mutation that creates an artifact.
        views: The variables of each mutation that saves a view of a project.
        requests: How many there were.
    """

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, answers: int = 10**6, seconds: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.seconds, self.requests = answers, seconds, 0
        self.runs: list[dict[str, Any]] = []
        self.rows: dict[int, dict[str, Any]] = {}
        self.summary: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes W&B speak to it."""
        return {"WANDB_BASE_URL": self.address, "WANDB_API_KEY": KEY}

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: clients hang up as they like."""

    def told(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        """The answer to a request."""
        if method == "PUT":
            self.files[path.removeprefix("/upload/")] = body
        elif path == "/graphql":
            asked = json.loads(body)
            return {"data": self._asked(asked["query"], asked.get("variables") or {})}
        elif path.endswith("/file_stream"):
            for name, file in json.loads(body).get("files", {}).items():
                lines = [json.loads(line) for line in file["content"]]
                if name == "wandb-history.jsonl":
                    self.rows |= {row["_step"]: row for row in lines}
                elif name == "wandb-summary.json":
                    self.summary = lines[-1]
        return {}

    def _asked(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        artifact = {"id": "QQ==", "digest": "0", "state": "PENDING", "artifactSequence": {"id": "Qg=="}}
        upload = {"id": "Rg==", "displayName": "file", "uploadHeaders": []}
        named = [{"name": name} for name in variables.get("files", ())]
        files = [{**upload, **one, "uploadUrl": f"{self.address}/upload/{one['name']}"} for one in named]
        given = variables.get("input", {})
        parts = [{"name": spec["name"], "storagePath": None} for spec in given.get("artifactFiles", ())]
        stored = [
            {**upload, **one, "uploadUrl": f"{self.address}/upload/{STORED}{one['name']}"} for one in parts
        ]
        manifest = {
            "id": "TQ==",
            "file": {**upload, "name": "manifest", "uploadUrl": f"{self.address}/upload/m"},
        }
        match query.split("(")[0].split("{")[0].split():
            case ["mutation", "UpsertBucket"]:
                self.runs.append(variables)
                project = {"id": "UA==", "name": "rnnx", "entity": {"id": "RQ==", "name": "us"}}
                bucket = {"id": "Ug==", "name": variables["name"], "config": "{}", "project": project}
                return {"upsertBucket": {"bucket": bucket, "inserted": len(self.runs) == 1}}
            case ["mutation", "CreateRunFiles"]:
                return {"createRunFiles": {"runID": "Ug==", "uploadHeaders": [], "files": files}}
            case ["mutation", "UpsertView2"]:
                self.views.append(variables)
                return {"upsertView": {"view": {"id": "Vg==", "name": variables["name"]}, "inserted": True}}
            case ["mutation", "CreateArtifact"]:
                self.artifacts.append(given)
                return {"createArtifact": {"artifact": artifact}}
            case ["mutation", "CreateArtifactFiles"]:
                nodes = [{"node": {**file, "artifact": {"id": "QQ=="}}} for file in stored]
                return {"createArtifactFiles": {"files": {"edges": nodes}}}
            case ["mutation", "CreateArtifactManifest"]:
                return {"createArtifactManifest": {"artifactManifest": manifest}}
            case ["mutation", "CommitArtifact"]:
                return {"commitArtifact": {"artifact": artifact}}
            case ["query", "ArtifactType"]:
                return {"project": {"artifact": None}}
            case ["query", "Viewer" | "GetDefaultEntity"]:
                return {"viewer": {"id": "VQ==", "entity": "us", "username": "us", "teams": {"edges": []}}}
        return {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        with self.server.lock:
            self.server.requests += 1
            known = self.server.requests <= self.server.answers
            answer = self.server.told(self.command, self.path, body) if known else {}
        time.sleep(self.server.seconds)
        content = json.dumps(answer).encode()
        self.send_response(200 if known else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST  # noqa: N815 - the names of the standard library
