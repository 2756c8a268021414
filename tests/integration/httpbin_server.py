"""httpbin on a free port of loopback: prints its address as JSON, and ends with its standard input."""

from __future__ import annotations

import json
import sys
import threading

from httpbin import app
from werkzeug.serving import make_server


def main() -> None:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
