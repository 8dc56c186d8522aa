"""Whether a service answers; made of sockets alone, for it is asked every few seconds.

healthy.py PORT /path                 this machine answers 200
healthy.py PORT ping                  a lister answers
healthy.py api-server:PORT part       Airflow's API server says that a part is healthy
"""

import json
import socket
import sys

PATIENCE = 8.0


def answer(where: str, words: bytes) -> bytes:
    """What is answered, as far as it comes until the other side ends or is silent."""
    host, _, port = where.rpartition(":")
    with socket.create_connection((host or "127.0.0.1", int(port)), PATIENCE) as connection:
        connection.sendall(words)
        told = b""
        while piece := connection.recv(65536):
            told += piece
            if words.startswith(b"{"):
                break
    return told


def page(where: str, path: str) -> bytes:
    """The body of a page; the end of this process where it is not 200."""
    told = answer(where, f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = told.partition(b"\r\n\r\n")
    if b" 200" not in head.split(b"\r\n")[0]:
        sys.exit(1)
    return body


where, what = sys.argv[1:]
if what == "ping":
    sys.exit(not answer(where, b'{"id": 1, "do": "ping"}\n'))
if what.startswith("/"):
    page(where, what)
    sys.exit(0)
sys.exit(json.loads(page(where, "/api/v2/monitor/health"))[what]["status"] != "healthy")
