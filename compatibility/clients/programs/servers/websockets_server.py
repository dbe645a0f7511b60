"""The server of ws.mjs, with Python's websockets: versions before and after 14 have different arguments."""
import asyncio
import http
import os

import websockets

CODES = {"restart": 1012, "bye": 1000}


async def echo(websocket, *_path):
    async for message in websocket:
        code = CODES.get(message)
        if code is None:
            await websocket.send(message)
        else:
            await websocket.close(code)


def refuse(first, second):
    if isinstance(first, str):  # before 14: the path and the headers
        return (http.HTTPStatus.FORBIDDEN, [], b"") if first == "/refused" else None
    return first.respond(403, "") if second.path == "/refused" else None


async def main():
    async with websockets.serve(
        echo, "127.0.0.1", int(os.environ["PORT"]), subprotocols=["chat"], process_request=refuse
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"http://127.0.0.1:{port}", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
