import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

pool = [f"connection {number}" for number in range(10)]


def poll():
    """Looks for new mail; a connection that it took is never given back."""
    while pool:
        pool.pop()
        time.sleep(0.4)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if pool else 503)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"connections": len(pool)}).encode())


if __name__ == "__main__":
    threading.Thread(target=poll, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
