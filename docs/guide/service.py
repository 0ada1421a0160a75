"""Serve a compact model: rows of JSON in, probabilities out.

python service.py model.safetensors 8000
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from skdistill import CompactPredictor


class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            length = int(self.headers["Content-Length"] or 0)
            rows = json.loads(self.rfile.read(max(length, 0)))
            proba = self.server.model.predict_proba(rows).tolist()
            names = map(str, self.server.model.classes_)
            status, answer = 200, {"classes": [*names], "proba": proba}
        except (ValueError, TypeError, RecursionError) as error:
            # What was asked is wrong.
            status, answer = 400, {"error": str(error)}
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Service)
    server.model = CompactPredictor.load(sys.argv[1])
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
