"""Tells the time, over HTTP."""

from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(f"{datetime.now():%H:%M}".encode())


if __name__ == "__main__":
    with HTTPServer(("127.0.0.1", 8000), Handler) as server:
        server.handle_request()
