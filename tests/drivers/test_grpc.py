"""gRPC, with a server of its own: who calls waits, and nobody else."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green

SERVER = (
    SOCKETS
    + """
import grpc, queue
from concurrent.futures import ThreadPoolExecutor
asked, go = queue.Queue(), threading.Event()
def pause(request):
    # A request is answered at once, at the second asking, or never.
    asked.put(request)
    if request.startswith(b"slow"): time.sleep(0.2)
    if request.startswith(b"held"): go.wait()
def one(request, context):
    pause(request)
    if request == b"bad": context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    context.set_trailing_metadata((("after", "all"),))
    return request + b"!"
def some(request, context):
    for n in range(3):
        pause(request); yield request + b"%d" % n
def of_many(requests, context):
    return b",".join(one(request, context) for request in requests)
def many(requests, context):
    for request in requests: yield one(request, context)
def serve():
    server = grpc.server(ThreadPoolExecutor(20))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Shop", {
        "One": grpc.unary_unary_rpc_method_handler(one),
        "Some": grpc.unary_stream_rpc_method_handler(some),
        "OfMany": grpc.stream_unary_rpc_method_handler(of_many),
        "Many": grpc.stream_stream_rpc_method_handler(many)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
server, port = serve()
def connect(*options): return grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
channel = connect()
stub = channel.unary_unary("/shop.Shop/One")
stream = channel.unary_stream("/shop.Shop/Some")
collect = channel.stream_unary("/shop.Shop/OfMany")
talk = channel.stream_stream("/shop.Shop/Many")
"""
)
END = """
        go.set(); channel.close(); server.stop(None).wait()
        """

CALLS = {
    "unary": ("stub(b'slow', timeout=TIMEOUT)", "b'slow!'"),
    "with_call": (
        "(lambda got: (got[0], got[1].code(), got[1].trailing_metadata()[0].value))"
        "(stub.with_call(b'slow', metadata=(('a', 'b'),)))",
        "(b'slow!', grpc.StatusCode.OK, 'all')",
    ),
    "future": ("stub.future(b'slow').result()", "b'slow!'"),
    "server_stream": ("list(stream(b'slow'))", "[b'slow0', b'slow1', b'slow2']"),
    "single_threaded_stream": (
        "list(connect((grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1))"
        ".unary_stream('/shop.Shop/Some')(b'slow'))",
        "[b'slow0', b'slow1', b'slow2']",
    ),
    "client_stream": ("collect(iter([b'slow', b'x']))", "b'slow!,x!'"),
    "client_stream_with_call": (
        "collect.with_call(iter([b'slow', b'x']))[0]",
        "b'slow!,x!'",
    ),
    "both": ("list(talk(iter([b'slow', b'x'])))", "[b'slow!', b'x!']"),
    "ready": (
        "grpc.channel_ready_future(connect()).result() or stub(b'slow')",
        "b'slow!'",
    ),
}


@pytest.mark.row("G17")
@pytest.mark.library("grpc")
@pytest.mark.parametrize("call", CALLS)
def test_others_run_while_one_waits(call: str) -> None:
    code, result = CALLS[call]
    run_green(
        f"""
        import grpc.experimental
        got, count = ticks(lambda: {code})
        assert got == {result} and count >= 3, (got, count)
        tasks = [green.spawn(lambda: {code}) for _ in range(10)]
        assert [task.get() for task in tasks] == [{result}] * 10
        """
        + END,
        prelude=SERVER,
        malloc="default",
    )


@pytest.mark.row("G17")
def test_errors_and_ends_are_those_of_grpc() -> None:
    run_green(
        """
        error = raises(grpc.RpcError, stub, b"bad")
        assert type(error).__name__ == "_InactiveRpcError", error
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")
        error = raises(grpc.RpcError, collect.with_call, iter([b"bad"]))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        error = raises(grpc.RpcError, lambda: stub(b"held", timeout=0.05))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        # One that is killed or timed out is cancelled on the server.
        while not asked.empty(): asked.get()
        task = green.spawn(stub, b"held")
        assert asked.get() == b"held"
        task.kill()
        def late():
            with green.Timeout(0.05): stub(b"held")
        raises(green.Timeout, late)
        assert stub(b"x") == b"x!"
        # Interceptors stand above.
        class Seen(grpc.UnaryUnaryClientInterceptor):
            def intercept_unary_unary(self, proceed, details, request): return proceed(details, request + b"?")
        inner = grpc.intercept_channel(channel, Seen()).unary_unary("/shop.Shop/One")
        got, count = ticks(lambda: inner(b"slow"))
        assert got == b"slow?!" and count >= 3
        # Native threads wait as ever.
        results = []
        threads = [threading.Thread(target=lambda: results.append(stub(b"slow"))) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert results == [b"slow!"] * 3
        """
        + END,
        prelude=SERVER,
        malloc="default",
    )
