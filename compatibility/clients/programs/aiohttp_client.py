"""With Python's aiohttp: python3 aiohttp_client.py ws://127.0.0.1:8000"""
import asyncio
import json
import sys

import aiohttp

URL = sys.argv[1]
LARGE = bytes(i % 251 for i in range(1_048_576))


def tell(step, **seen):
    print(json.dumps({"step": step, **seen}), flush=True)


def compare(sent, received):
    return {"length": len(received), "same": sent == received}


async def converse(session):
    async with session.ws_connect(URL + "/echo", protocols=["superchat", "chat"]) as echo:
        tell("open", protocol=echo.protocol)
        for step, message in [
            ("text", "hello"),
            ("unicode", "Grüße, 世界 👋"),
            ("ping of the server", "ping me"),
        ]:
            await echo.send_str(message)
            tell(step, echo=await echo.receive_str())
        await echo.send_bytes(bytes([0, 1, 2, 253, 254, 255]))
        tell("binary", echo=list(await echo.receive_bytes()))
        await echo.send_bytes(LARGE)
        tell("large", **compare(LARGE, await echo.receive_bytes()))
        await echo.close(code=4001, message=b"bye")
        tell("close", code=echo.close_code)

    # With autoping, aiohttp keeps a pong to itself.
    async with session.ws_connect(URL + "/echo", autoping=False) as echo:
        await echo.ping(b"payload")
        message = await echo.receive()
        tell("ping", pong=message.data.decode() if message.type == aiohttp.WSMsgType.PONG else None)

    async with session.ws_connect(URL + "/compressed", compress=15) as compressed:
        await compressed.send_bytes(bytes(100_000))
        tell("compressed", **compare(bytes(100_000), await compressed.receive_bytes()))

    async with session.ws_connect(URL + "/goodbye") as goodbye:
        message = await goodbye.receive()
        tell("close of the server", code=message.data, reason=message.extra)

    async with session.ws_connect(URL + "/lost") as lost:
        await lost.send_str("lose me")
        message = await lost.receive()
        tell("lost", error=message.type.name, code=lost.close_code)

    try:
        await session.ws_connect(URL + "/refused")
    except aiohttp.WSServerHandshakeError as error:
        tell("refused", error=f"{type(error).__name__}: {error.message}", status=error.status)


async def main():
    async with aiohttp.ClientSession() as session:
        await converse(session)


asyncio.run(main())
