"""A client written from docs/wire.md alone, with nothing but Python's standard library."""

import collections
import hashlib
import itertools
import socket
import struct
import threading
import time

PREFACE = b"\xabRPCIDL\x01"
HELLO, CALL, REPLY, FAIL, ITEM, END, DATA, CREDIT, CANCEL, PING, PONG, GOAWAY, RELEASE = range(1, 14)
# flags
ONE_WAY = ERROR = CALLEE = 0x01
TAKES_STREAM = OF_ITEM = STOP = 0x02
ANSWERS_STREAM = 0x04
MORE = 0x08
PIECE = 65_536
STREAM_WINDOW, CONNECTION_WINDOW, MAX_MESSAGE = 100_000, 150_000, 16 << 20
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
        self.received, self.taken = collections.deque(), 0
        self.credit, self.stopped, self.cancelled = client.peer_stream_window, False, False

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
        with self.client.changed:
            self.cancelled = True
            unread = sum(cost for cost, _ in self.received)
            self.received.clear()
        self.client.give_back(None, unread)
        self.client.send(CANCEL, request_id=self.id)

    def push(self, value):
        """Sends an item, waiting for credit; False if it is not read any more."""
        body, at, flags = pack(value), 0, MORE
        if not self.client.pay(self, 12):
            return False
        # In pieces, each as long as the credit there is: nothing needs more than 13 bytes of a window.
        self.client.send(ITEM, MORE, self.id)
        while flags:
            piece = self.client.pay(self, 12, min(len(body) - at, PIECE, self.client.peer_max_frame - 8))
            if not piece:
                return False
            flags = MORE if at + piece < len(body) else 0
            self.client.send(DATA, flags | OF_ITEM, self.id, body=body[at:at + piece])
            at += piece
        return True

    def end(self):
        """Says that all items are sent."""
        if not self.stopped:
            self.client.send(END, request_id=self.id)

    def items(self):
        """The items of the answer; raises Declared or CallFailed if something else than its end ends it."""
        while True:
            with self.client.changed:
                while not self.received and not self.done.is_set():
                    if not self.client.changed.wait(20):
                        raise TimeoutError("no item came")
                if not self.received:
                    break
                cost, item = self.received.popleft()
            self.client.give_back(self, cost)
            yield item
        if isinstance(self.outcome, Exception):
            raise self.outcome


class Client:
    """One connection. A thread reads; whoever calls, writes."""

    def __init__(self, address, max_frame=4 << 20, exports=None):
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.max_frame = max_frame
        self.waiting, self.ids, self.gone = {}, itertools.count(1), None
        self.lock, self.write_lock = threading.RLock(), threading.Lock()
        self.changed = threading.Condition(self.lock)
        # what the server may call: {(service, method): function}
        self.exports = {call_id(*name): function for name, function in (exports or {}).items()}
        self.open_bodies, self.taken = {}, 0
        self.peer_max_frame = PIECE
        self.socket.sendall(PREFACE)
        self.send(HELLO, body=pack({
            "agent": "client.py", "max_frame": max_frame, "max_message": MAX_MESSAGE, "max_inflight": 16,
            "stream_window": STREAM_WINDOW, "connection_window": CONNECTION_WINDOW}))
        kind, _, _, rest = self.read_frame()
        if kind != HELLO:
            raise ConnectionError(unpack(rest[12:])[0] if kind == GOAWAY else f"frame kind {kind} before HELLO")
        self.hello = unpack(rest)
        self.peer_max_frame = self.hello.get("max_frame") or 65_536
        self.peer_max_message = self.hello.get("max_message") or 0
        self.peer_stream_window = self.hello.get("stream_window") or 0
        self.credit = self.hello.get("connection_window") or 0
        self.room = threading.Semaphore(self.hello.get("max_inflight") or 1)
        threading.Thread(target=self.read_forever, daemon=True).start()

    def start(self, service, method, *params, timeout=10.0, metadata=None, number=None, one_way=False,
              streams=0):
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
        self.send(CALL, int(one_way) | streams, request_id, fixed, pack(metadata) if metadata else b"",
                  pack(list(params)))
        return pending

    def stream(self, *args, **options):
        """Makes a call whose answer is a stream: its items()."""
        return self.start(*args, timeout=None, streams=ANSWERS_STREAM, **options)

    def upload(self, *args, items=(), **options):
        """Makes a call that sends a stream, and waits for its result."""
        pending = self.start(*args, timeout=None, streams=TAKES_STREAM, **options)
        if all(pending.push(item) for item in items):
            pending.end()
        return pending.result()

    def pay(self, pending, header, most=0):
        """Waits for credit of the stream and of the connection and spends it; 0 or False if nothing is read any more."""
        with self.changed:
            while True:
                if pending.stopped or pending.done.is_set():
                    return 0
                credit = min(pending.credit, self.credit) - header
                if credit >= min(most, 1):
                    break
                if not self.changed.wait(20):
                    raise TimeoutError("no credit came")
            paid = min(most, credit)
            pending.credit -= header + paid
            self.credit -= header + paid
            return paid if most else True

    def give_back(self, pending, cost):
        """Credit for what was taken, or not kept: for the connection, and for the stream if it goes on."""
        with self.lock:
            self.taken += cost
            connection = self.taken if self.taken * 2 >= CONNECTION_WINDOW - STREAM_WINDOW else 0
            self.taken -= connection
            stream = 0
            if pending:
                pending.taken += cost
                stream = pending.taken if pending.taken * 2 >= STREAM_WINDOW and not pending.done.is_set() else 0
                pending.taken -= stream
        if connection:
            self.send(CREDIT, fixed=struct.pack("<I", connection))
        if stream:
            self.send(CREDIT, request_id=pending.id, fixed=struct.pack("<I", stream))

    def call(self, *args, **options):
        """Makes a call and waits for its result."""
        return self.start(*args, **options).result()

    def send(self, kind, flags=0, request_id=0, fixed=b"", metadata=b"", body=b""):
        length = 8 + len(fixed) + len(metadata) + len(body)
        if kind in (CALL, REPLY) and (len(body) > PIECE or length > self.peer_max_frame):
            if len(body) > self.peer_max_message:
                raise CallFailed("resource_exhausted", "not sent", f"{len(body)} bytes are too many for the server")
            self.send(kind, flags | MORE, request_id, fixed, metadata)
            size, side = min(PIECE, self.peer_max_frame - 8), CALLEE if kind == REPLY else 0
            for at in range(0, len(body), size):
                more = MORE if at + size < len(body) else 0
                self.send(DATA, side | more, request_id, body=body[at:at + size])
            return
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
        # A request is named by its ID and by who made it.
        ours = kind in (REPLY, FAIL) or kind in (ITEM, DATA, CREDIT) and bool(flags & CALLEE)
        key = ours, request_id
        if kind == FAIL:
            self.open_bodies.pop(key, None)
        if kind == ITEM or kind == DATA and flags & OF_ITEM:
            self.on_item(key, kind, flags, rest)
        elif kind in (CALL, REPLY) and flags & MORE:
            self.open_bodies[key] = [kind, flags & ~MORE, bytearray(rest)]
        elif kind == DATA:
            if key in self.open_bodies:
                front, first_flags, body = self.open_bodies[key]
                body += rest
                if not flags & MORE:
                    del self.open_bodies[key]
                    self.on_frame(front, first_flags, request_id, bytes(body))
        elif kind == CREDIT:
            with self.changed:
                pending = self.waiting.get(request_id) if ours else None
                if request_id == 0:
                    self.credit += struct.unpack("<I", rest[:4])[0]
                elif pending and flags & STOP:
                    pending.stopped = True
                elif pending:
                    pending.credit += struct.unpack("<I", rest[:4])[0]
                self.changed.notify_all()
        elif kind == REPLY and not flags & 1:
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
        elif kind == CALL and struct.unpack_from("<Q", rest)[0] in self.exports:
            threading.Thread(target=self.serve, args=(flags, request_id, rest), daemon=True).start()
        elif kind == CALL and not flags & ONE_WAY:
            fixed = struct.pack("<BBBxI", 12, 1, 0, 0)
            self.send(FAIL, request_id=request_id, fixed=fixed, body=pack(["this side serves nothing"]))
        elif kind not in (CALL, PONG, END, CANCEL, RELEASE) and not kind & 0x80:
            raise ConnectionError(f"frame kind {kind} is not known")

    def on_item(self, key, kind, flags, rest):
        """An ITEM or a piece of one. Only answers are streams here: what is exported takes none."""
        cost, pending = 12 + len(rest), self.waiting.get(key[1]) if key[0] else None
        if pending and pending.cancelled:
            pending = None
        if kind == ITEM and not flags & MORE:
            if not pending:
                return self.give_back(None, cost)
        else:
            # Pieces are not kept as items, so their credit goes back at once: the item may be larger than the window.
            self.give_back(pending, cost)
            cost = 0
            body = self.open_bodies.setdefault(key, [ITEM, 0, bytearray()])[2]
            body += rest
            if flags & MORE:
                return
            del self.open_bodies[key]
            rest = bytes(body)
        if pending:
            with self.changed:
                pending.received.append((cost, unpack(rest)))
                self.changed.notify_all()

    def serve(self, flags, request_id, rest):
        """A call of the server."""
        number, _ = struct.unpack_from("<QI", rest)
        result = self.exports[number](*unpack(rest[12:]))
        if not flags & ONE_WAY:
            self.send(REPLY, request_id=request_id, body=pack(result))

    def settle(self, request_id, outcome):
        with self.lock:
            pending = self.waiting.pop(request_id, None)
        if pending:
            self.room.release()
            pending.outcome = outcome
            with self.changed:
                pending.done.set()
                self.changed.notify_all()

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
