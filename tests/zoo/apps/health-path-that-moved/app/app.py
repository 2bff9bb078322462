import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROUTES = {"/healthz": {"status": "ok"}, "/tides": {"high": "06:12", "low": "12:30"}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        found = ROUTES.get(self.path)
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
