"""Calls the server of main.rs in every way that docs/wire.md describes. Usage: check.py ADDRESS"""

import sys

from client import CallFailed, Client, Declared

SERVICE = "demo.v1.Work"


def failure(action):
    try:
        return f"no failure but {action()!r}"
    except (CallFailed, Declared) as error:
        return error


def main(address):
    client = Client(address)
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
