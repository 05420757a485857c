"""msgpack-rpc-python as a server on a free port. Prints the port and ends with its input."""

import os
import sys
import threading

import msgpackrpc


class Calculator(object):
    def __init__(self):
        self.kept = []

    def add(self, a, b):
        return a + b

    def echo(self, value):
        return value

    def divide(self, a, b):
        return a / b

    def note(self, text):
        self.kept.append(text)

    def notes(self):
        return self.kept

    def never(self):
        # Answered later than anybody waits: never.
        return msgpackrpc.server.AsyncResult()


server = msgpackrpc.Server(Calculator(), unpack_encoding="utf-8")
server.listen(msgpackrpc.Address("127.0.0.1", 0))
sockets = server._listeners[0]._mp_server._sockets
ports = [socket.getsockname()[1] for socket in sockets.values() if len(socket.getsockname()) == 2]
print(ports[0], flush=True)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
server.start()
