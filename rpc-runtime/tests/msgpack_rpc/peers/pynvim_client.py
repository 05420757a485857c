"""pynvim's own MessagePack-RPC client: HOST PORT. Prints what it sees."""

import signal
import sys

from pynvim.msgpack_rpc import tcp_session

signal.alarm(30)
# It says who it is by a notification whose method is binary; nobody here knows that method.
session = tcp_session(sys.argv[1], int(sys.argv[2]))
print("add", session.request("add", 2, 3))
print("echo", session.request("Calculator.echo", {"a": [1, 2.5, None, "ä", b"\x00\xff"]}))
session.request("note", "from pynvim", async_=True)
session.request(b"note", "in bytes", async_=True)
print("notes", session.request("Calculator/notes"))
for method, args in [("divide", (1, 0)), ("take", (8,)), ("ad", ())]:
    try:
        print("unexpected", session.request(method, *args))
    except Exception as error:
        print(method, "failed:", error)
print("add", session.request("add", 2**40, -1))
