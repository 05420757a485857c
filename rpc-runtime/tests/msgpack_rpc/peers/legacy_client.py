"""msgpack-rpc-python as a client: HOST PORT. Prints what it sees."""

import signal
import sys

import msgpackrpc

signal.alarm(30)
client = msgpackrpc.Client(
    msgpackrpc.Address(sys.argv[1], int(sys.argv[2])), timeout=10, unpack_encoding="utf-8"
)
print("add", client.call("add", 2, 3))
print("echo", client.call("Calculator.echo", {"a": [1, 2.5, None, "ä", 2**64 - 1, -(2**63)]}))
# An answer does not wait for those to earlier calls.
slow = client.call_async("later", 600000)
fast = [client.call_async("later", ms) for ms in (20, 1, 10)]
print("later", [future.get() for future in fast], slow._set_flag)
client.notify("note", "from 2018")
print("notes", client.call("notes"))
for method, args in [("divide", (1, 0)), ("take", (8,)), ("ad", ()), ("panics", ())]:
    try:
        print("unexpected", client.call(method, *args))
    except msgpackrpc.error.RPCError as error:
        print(method, "failed:", error.args[0])
print("add", client.call("add", 2**40, -1))
client.close()
