"""Serve a model: `python service.py model.safetensors 8000`."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from skdistill import CompactPredictor


class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            body = self.rfile.read(max(0, int(self.headers["Content-Length"] or 0)))
            proba = model.predict_proba(json.loads(body)).tolist()
            status, answer = 200, {"classes": model.classes_.tolist(), "proba": proba}
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            status, answer = 400, {"error": str(error)}  # what was asked is wrong
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


if __name__ == "__main__":
    model = CompactPredictor.load(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Service)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
