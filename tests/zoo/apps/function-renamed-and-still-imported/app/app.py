"""A shop, over HTTP."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shop import models


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/export":
            from shop.export import export

            body = export(models.PRICES)
        else:
            body = ", ".join(models.PRICES)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
