"""A register of boats, over HTTP."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from register import boats


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write("\n".join(boats()).encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
