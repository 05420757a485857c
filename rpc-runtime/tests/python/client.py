"""A client written from docs/wire.md alone, with nothing but Python's standard library."""

import hashlib
import itertools
import socket
import struct
import threading
import time

PREFACE = b"\xabRPCIDL\x01"
HELLO, CALL, REPLY, FAIL, CANCEL, PING, PONG, GOAWAY = 1, 2, 3, 4, 9, 10, 11, 12
IGNORED = (5, 6, 7, 8, 13)
STATUS = ("cancelled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied "
          "resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable "
          "data_loss unauthenticated").split()
EXECUTION = {0: "not sent", 1: "not started", 3: "executed"}


def call_id(service, method):
    """The number of a method, as `sha256sum` gives it."""
    digest = hashlib.sha256(f"{service}/{method}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 11


class CallFailed(Exception):
    """The framework could not complete the call."""

    def __init__(self, status, execution, message):
        super().__init__(f"{status}: {message} ({execution})")
        self.status, self.execution, self.message = status, execution, message


class Declared(Exception):
    """The method answered with its own error."""

    def __init__(self, error, status, retryable):
        super().__init__(error)
        self.error, self.status, self.retryable = error, status, retryable


class Pending:
    """A call on its way."""

    def __init__(self, client, request_id, deadline):
        self.client, self.id, self.deadline = client, request_id, deadline
        self.done, self.outcome = threading.Event(), None

    def result(self):
        """Waits for the result; raises Declared or CallFailed."""
        left = None if self.deadline is None else max(0, self.deadline - time.monotonic())
        if not self.done.wait(left):
            self.cancel()
            raise CallFailed("deadline_exceeded", "unknown", "the time of the call is up")
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def cancel(self):
        """Gives the call up; its ID stays in use until the server has answered."""
        self.client.send(CANCEL, request_id=self.id)


class Client:
    """One connection. A thread reads; whoever calls, writes."""

    def __init__(self, address, max_frame=4 << 20):
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.max_frame = max_frame
        self.waiting, self.ids, self.gone = {}, itertools.count(1), None
        self.lock, self.write_lock = threading.Lock(), threading.Lock()
        self.socket.sendall(PREFACE)
        self.send(HELLO, body=pack({"agent": "client.py", "max_frame": max_frame}))
        kind, _, _, rest = self.read_frame()
        if kind != HELLO:
            raise ConnectionError(unpack(rest[12:])[0] if kind == GOAWAY else f"frame kind {kind} before HELLO")
        self.hello = unpack(rest)
        self.peer_max_frame = self.hello.get("max_frame") or 65_536
        self.room = threading.Semaphore(self.hello.get("max_inflight") or 1)
        threading.Thread(target=self.read_forever, daemon=True).start()

    def start(self, service, method, *params, timeout=10.0, metadata=None, number=None, one_way=False):
        """Sends a call and gives a handle to it."""
        remaining = 0 if timeout is None else max(1, -int(-timeout * 1000 // 1))
        fixed = struct.pack("<QI", call_id(service, method) if number is None else number, remaining)
        deadline = None if timeout is None else time.monotonic() + timeout
        if not one_way:
            self.room.acquire()
        with self.lock:
            if self.gone:
                raise CallFailed("unavailable", "not sent", self.gone)
            request_id = next(self.ids)
            pending = Pending(self, request_id, deadline)
            if not one_way:
                self.waiting[request_id] = pending
        self.send(CALL, int(one_way), request_id, fixed, pack(metadata) if metadata else b"", pack(list(params)))
        return pending

    def call(self, *args, **options):
        """Makes a call and waits for its result."""
        return self.start(*args, **options).result()

    def send(self, kind, flags=0, request_id=0, fixed=b"", metadata=b"", body=b""):
        length = 8 + len(fixed) + len(metadata) + len(body)
        if kind == CALL and length > self.peer_max_frame:
            raise CallFailed("resource_exhausted", "not sent", f"{length} bytes are too many for the server")
        header = struct.pack("<IBBHI", length, kind, flags, len(metadata), request_id)
        with self.write_lock:
            self.socket.sendall(header + fixed + metadata + body)

    def read_exactly(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self.socket.recv(min(count - len(data), 65_536))
            if not piece:
                raise ConnectionError("the server closed the connection")
            data += piece
        return bytes(data)

    def read_frame(self):
        length, kind, flags, metadata, request_id = struct.unpack("<IBBHI", self.read_exactly(12))
        if not 8 <= length <= self.max_frame:
            raise ConnectionError(f"a frame of {length} bytes; is this a server of this protocol?")
        return kind, flags, request_id, self.read_exactly(length - 8)

    def read_forever(self):
        try:
            while True:
                self.on_frame(*self.read_frame())
        except (OSError, ValueError, IndexError, struct.error) as error:
            self.end(str(error))

    def on_frame(self, kind, flags, request_id, rest):
        if kind == REPLY and not flags & 1:
            self.settle(request_id, unpack(rest))
        elif kind == REPLY:
            status, _, retryable, _ = struct.unpack_from("<BBBxI", rest)
            self.settle(request_id, Declared(unpack(rest[8:]), status_name(status), bool(retryable)))
        elif kind == FAIL:
            status, execution, _, _ = struct.unpack_from("<BBBxI", rest)
            known = EXECUTION.get(execution, "unknown")
            self.settle(request_id, CallFailed(status_name(status), known, unpack(rest[8:])[0]))
        elif kind == PING:
            self.send(PONG, fixed=rest[:8])
        elif kind == GOAWAY:
            last, text = struct.unpack_from("<I", rest)[0], unpack(rest[12:])[0]
            with self.lock:
                self.gone = text
            for late in [id for id in self.waiting if 0 < (id - last) % (1 << 32) < 1 << 31]:
                self.settle(late, CallFailed("unavailable", "not started", text))
        elif kind == CALL:
            fixed = struct.pack("<BBBxI", 12, 1, 0, 0)
            self.send(FAIL, request_id=request_id, fixed=fixed, body=pack(["this side serves nothing"]))
        elif kind != PONG and kind not in IGNORED and not kind & 0x80:
            raise ConnectionError(f"frame kind {kind} is not known")

    def settle(self, request_id, outcome):
        with self.lock:
            pending = self.waiting.pop(request_id, None)
        if pending:
            self.room.release()
            pending.outcome = outcome
            pending.done.set()

    def end(self, text):
        with self.lock:
            self.gone = self.gone or text
        for request_id in list(self.waiting):
            self.settle(request_id, CallFailed("unavailable", "unknown", self.gone))


def status_name(code):
    return STATUS[code - 1] if 1 <= code <= 16 else "unknown"


def pack(value):
    """MessagePack, smallest forms."""
    if value is None or isinstance(value, bool):
        return b"\xc0" if value is None else b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if -32 <= value < 128:
            return struct.pack("b", value)
        forms = (">BB", 0xCC), (">BH", 0xCD), (">BI", 0xCE), (">BQ", 0xCF)
        if value < 0:
            forms = (">Bb", 0xD0), (">Bh", 0xD1), (">Bi", 0xD2), (">Bq", 0xD3)
        for size, (form, marker) in zip((8, 16, 32, 64), forms):
            if -(1 << size - 1) <= value < 1 << size:
                return struct.pack(form, marker, value)
        raise OverflowError(value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        data = value.encode()
        return head(len(data), 0xA0, 32, (0xD9, 0xDA, 0xDB)) + data
    if isinstance(value, bytes):
        return head(len(value), 0, 0, (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, dict):
        items = b"".join(pack(key) + pack(item) for key, item in value.items())
        return head(len(value), 0x80, 16, (None, 0xDE, 0xDF)) + items
    return head(len(value), 0x90, 16, (None, 0xDC, 0xDD)) + b"".join(map(pack, value))


def head(count, base, small, markers):
    if count < small:
        return bytes([base | count])
    for limit, form, marker in zip((1 << 8, 1 << 16, 1 << 32), (">BB", ">BH", ">BI"), markers):
        if marker and count < limit:
            return struct.pack(form, marker, count)
    raise OverflowError(count)


def unpack(data):
    value, end = unpack_from(data, 0)
    if end != len(data):
        raise ValueError("bytes are left after the value")
    return value


def unpack_from(data, at, depth=64):
    marker, at = data[at], at + 1
    if marker < 0x80 or marker >= 0xE0:
        return (marker if marker < 0x80 else marker - 256), at
    if marker in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[marker], at
    numbers = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
               0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
    if form := numbers.get(marker):
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    counts = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I",
              0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}
    if form := counts.get(marker):
        count, at = struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    elif marker < 0xC0:
        count = marker & (0x1F if marker >= 0xA0 else 0x0F)
    else:
        raise ValueError(f"MessagePack marker {marker:02x} is not read by this client")
    if 0xA0 <= marker < 0xC0 or 0xC4 <= marker <= 0xC6 or 0xD9 <= marker <= 0xDB:
        if at + count > len(data):
            raise ValueError("a string is longer than the message")
        piece = data[at:at + count]
        return (piece if 0xC4 <= marker <= 0xC6 else piece.decode()), at + count
    if depth == 0 or count > len(data) - at:
        raise ValueError("nested too deep, or a count that nothing backs")
    is_map, items = marker < 0x90 or marker >= 0xDE, []
    for _ in range(count * 2 if is_map else count):
        item, at = unpack_from(data, at, depth - 1)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if is_map else items), at
