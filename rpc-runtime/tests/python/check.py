"""Calls the server of main.rs in every way that docs/wire.md describes. Usage: check.py ADDRESS"""

import itertools
import sys
import time

from client import ANSWERS_STREAM, TAKES_STREAM, CallFailed, Client, Declared

SERVICE = "demo.v1.Work"


def failure(action):
    try:
        return f"no failure but {action()!r}"
    except (CallFailed, Declared) as error:
        return error


def main(address):
    notes = []
    exports = {("demo.v1.Near", "double"): lambda number: 2 * number,
               ("demo.v1.Near", "reverse"): lambda blob: blob[::-1],
               ("demo.v1.Near", "note"): notes.append}
    client = Client(address, exports=exports)
    names = [name for name, _ in client.hello["services"]]
    assert SERVICE in names, names

    # results
    assert client.call(SERVICE, "add", 20, 22) == 42
    assert client.call(SERVICE, "add", 2**63, 1) == 2**63 + 1
    assert client.call(SERVICE, "echo", "grüße", [1.5, -40_000], {"a": b"\x00\xff"}) == \
        ["grüße", [1.5, -40_000.0], {"a": b"\x00\xff"}]
    assert client.call(SERVICE, "nothing") is None
    assert client.call(SERVICE, "size", b"x" * 1_000_000) == 1_000_000

    # the declared error, with a payload and without
    error = failure(lambda: client.call(SERVICE, "divide", 1, 0))
    assert isinstance(error, Declared) and error.error == "ByZero", error
    assert error.status == "unknown" and not error.retryable
    error = failure(lambda: client.call(SERVICE, "divide", 1001, 3))
    assert isinstance(error, Declared) and error.error == {"TooLarge": [1000]}, error
    assert client.call(SERVICE, "divide", 9, 3) == 3

    # what the framework refuses
    error = failure(lambda: client.call(SERVICE, "no_such_method"))
    assert (error.status, error.execution) == ("unimplemented", "not started"), error
    assert SERVICE in error.message, error
    error = failure(lambda: client.call(SERVICE, "add", "one", 2))
    assert (error.status, error.execution) == ("invalid_argument", "not started"), error
    error = failure(lambda: client.call(SERVICE, "add", 1))
    assert "parameter 2, `b`, is missing" in error.message, error
    error = failure(lambda: client.call(SERVICE, "panics"))
    assert (error.status, error.execution) == ("internal", "executed"), error

    # metadata
    assert client.call(SERVICE, "whose", metadata={"user": "ann"}) == "ann"
    error = failure(lambda: client.call(SERVICE, "whose", metadata={"User": "ann"}))
    assert error.status == "invalid_argument" and "User" in error.message, error

    # time: the server's clock ends it, then the client's
    pending = client.start(SERVICE, "never", timeout=0.05)
    assert pending.done.wait(10)
    assert (pending.outcome.status, pending.outcome.execution) == ("deadline_exceeded", "executed"), pending.outcome
    error = failure(lambda: client.start(SERVICE, "never", timeout=0.000_1).result())
    assert error.status == "deadline_exceeded" and error.execution in ("unknown", "executed"), error
    assert client.call(SERVICE, "time_left", timeout=60) in range(50_000, 60_001)
    assert client.call(SERVICE, "time_left", timeout=None) == 0

    # several calls in flight: answers come in another order
    slow = client.start(SERVICE, "wait_for_go", timeout=None)
    many = [client.start(SERVICE, "add", n, n) for n in range(200)]
    assert [pending.result() for pending in many] == [2 * n for n in range(200)]
    assert not slow.done.is_set()
    client.start(SERVICE, "go", one_way=True)
    assert slow.result() == "gone"

    # cancel: the handler is really stopped
    pending = client.start(SERVICE, "never", timeout=None)
    before = client.call(SERVICE, "stopped")
    pending.cancel()
    assert pending.done.wait(10)
    assert (pending.outcome.status, pending.outcome.execution) == ("cancelled", "executed"), pending.outcome
    assert client.call(SERVICE, "stopped") == before + 1

    # large bodies: parameters and a result in pieces, and small calls beside them
    large = bytes(n % 251 for n in range(3_000_000))
    assert client.call(SERVICE, "size", large) == len(large)
    pending = client.start(SERVICE, "give_back", large)
    assert client.call(SERVICE, "add", 1, 2) == 3
    assert pending.result() == large

    # an answer that is a stream: small items beyond every window, and large ones
    assert list(client.stream(SERVICE, "count", 50_000).items()) == list(range(50_000))
    assert list(client.stream(SERVICE, "count", 0).items()) == []
    sizes = [0, 1, 65_535, 65_536, 65_537, 2_000_000, 0, 70_000]
    assert [len(item) for item in client.stream(SERVICE, "blobs", sizes).items()] == sizes
    broken, numbers = client.stream(SERVICE, "breaks", 3).items(), []
    error = failure(lambda: numbers.extend(broken))
    assert isinstance(error, Declared) and error.error == "ByZero", error

    # a reader that stops: the server's stream is dropped
    before, endless = client.call(SERVICE, "stopped"), client.stream(SERVICE, "endless")
    assert next(endless.items()) == 0
    endless.cancel()
    assert endless.done.wait(10)
    while client.call(SERVICE, "stopped") == before:
        time.sleep(0.001)

    # a slow reader holds up nobody else
    slow = client.stream(SERVICE, "count", 1_000_000)
    assert next(slow.items()) == 0
    assert len(list(client.stream(SERVICE, "count", 5_000).items())) == 5_000
    assert client.call(SERVICE, "add", 1, 2) == 3
    slow.cancel()

    # a stream that goes in: many small items, large ones, none; and one that the server stops reading
    assert client.upload(SERVICE, "total", items=range(20_000)) == [20_000, sum(range(20_000))]
    assert client.upload(SERVICE, "total") == [0, 0]
    assert client.upload(SERVICE, "lengths", items=[b"x" * size for size in sizes]) == sizes
    assert client.upload(SERVICE, "first", items=itertools.count(7)) == 7

    # both ways
    chat = client.start(SERVICE, "echo_all", timeout=None, streams=TAKES_STREAM | ANSWERS_STREAM)
    answers = chat.items()
    for word in ["one", "two", "w" * 100_000]:
        assert chat.push(word)
        assert next(answers) == word
    chat.end()
    assert list(answers) == []

    # the server calls back
    assert client.call(SERVICE, "ask_double", 21) == 42
    assert client.call(SERVICE, "ask_reverse", large) == large[::-1]
    assert client.call(SERVICE, "ask_note", "hi") is None
    while not notes:
        time.sleep(0.001)
    assert notes == ["hi"], notes
    # ... and is told what is not there
    error = failure(lambda: client.call(SERVICE, "ask_missing"))
    assert "serves nothing" in str(error.error), error

    # the server goes away: calls in work end, new ones are refused here
    slow = client.start(SERVICE, "wait_for_go", timeout=None)
    client.start(SERVICE, "shut_down", one_way=True)
    assert slow.result() == "gone"
    error = failure(lambda: [client.call(SERVICE, "add", 1, 1) for _ in range(100_000)])
    assert error.status == "unavailable", error
    assert error.execution in ("not sent", "not started"), error
    client.socket.close()
    print("every check passed")


main(sys.argv[1])
