"""With Python's websockets: python3 websockets_client.py ws://127.0.0.1:8000"""
import asyncio
import json
import sys

import websockets

URL = sys.argv[1]
LARGE = bytes(i % 251 for i in range(1_048_576))


def tell(step, **seen):
    print(json.dumps({"step": step, **seen}), flush=True)


def compare(sent, received):
    return {"length": len(received), "same": sent == received}


def describe(error):
    """A close of the server; none if the connection was lost."""
    return {"code": error.rcvd and error.rcvd.code, "reason": error.rcvd and error.rcvd.reason}


async def main():
    async with websockets.connect(
        URL + "/echo", subprotocols=["superchat", "chat"], compression=None
    ) as echo:
        tell("open", protocol=echo.subprotocol)
        for step, message in [
            ("text", "hello"),
            ("unicode", "Grüße, 世界 👋"),
            ("ping of the server", "ping me"),
        ]:
            await echo.send(message)
            tell(step, echo=await echo.recv())
        await echo.send(bytes([0, 1, 2, 253, 254, 255]))
        tell("binary", echo=list(await echo.recv()))
        await echo.send(LARGE)
        tell("large", **compare(LARGE, await echo.recv()))
        await echo.send(["in ", "three ", "parts"])
        tell("parts", echo=await echo.recv())
        await (await echo.ping(b"payload"))
        tell("ping", pong="payload")
        await echo.close(4001, "bye")
        try:
            await echo.recv()
        except websockets.ConnectionClosed as error:
            tell("close", **describe(error))

    async with websockets.connect(URL + "/compressed") as compressed:
        await compressed.send(bytes(100_000))
        tell("compressed", **compare(bytes(100_000), await compressed.recv()))

    async with websockets.connect(URL + "/goodbye") as goodbye:
        try:
            await goodbye.recv()
        except websockets.ConnectionClosed as error:
            tell("close of the server", **describe(error))

    async with websockets.connect(URL + "/lost") as lost:
        await lost.send("lose me")
        try:
            await lost.recv()
        except websockets.ConnectionClosed as error:
            tell("lost", error=f"{type(error).__name__}: {error}", **describe(error))

    try:
        await websockets.connect(URL + "/refused")
    except websockets.InvalidHandshake as error:
        # Since version 14 the response is there; before, only its status and headers.
        response = getattr(error, "response", None)
        tell(
            "refused",
            error=f"{type(error).__name__}: {error}",
            status=response.status_code if response else error.status_code,
            **({"body": response.body.decode()} if response else {}),
        )


asyncio.run(main())
