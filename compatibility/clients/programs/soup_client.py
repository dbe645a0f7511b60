"""With libsoup, through GObject introspection: python3 soup_client.py ws://127.0.0.1:8000"""
import json
import sys

import gi

gi.require_version("Soup", "3.0")
from gi.repository import GLib, Soup  # noqa: E402

URL = sys.argv[1]
LARGE = bytes(i % 251 for i in range(1_048_576))
session = Soup.Session()
# It offers permessage-deflate only if this is there.
session.add_feature_by_type(Soup.WebsocketExtensionManager)


def tell(step, **seen):
    print(json.dumps({"step": step, **seen}), flush=True)


def compare(sent, received):
    return {"length": len(received), "same": sent == received}


def wait_for(take):
    """Runs the main loop until `take` returns something."""
    while (taken := take()) is None:
        GLib.MainContext.default().iteration(True)
    return taken


class Websocket:
    """A connection, and what it has received."""

    def __init__(self, path, protocols=None):
        self.message = Soup.Message.new("GET", URL + path)
        self.events = []
        self.failure = None
        self.connection = None
        session.websocket_connect_async(
            self.message, None, protocols, GLib.PRIORITY_DEFAULT, None, self._on_connect
        )
        wait_for(lambda: self.connection or self.failure)

    def _on_connect(self, _session, result):
        try:
            connection = session.websocket_connect_finish(result)
        except GLib.Error as error:
            self.failure = error
            return
        # The default is 128 KiB.
        connection.set_max_incoming_payload_size(2 * 1024 * 1024)
        connection.connect("message", lambda _c, _type, data: self.events.append(data.get_data()))
        connection.connect("pong", lambda _c, data: self.events.append("pong"))
        connection.connect("error", lambda _c, error: self.events.append(error))
        connection.connect("closed", lambda _c: self.events.append("closed"))
        self.connection = connection

    def next(self):
        return wait_for(lambda: self.events.pop(0) if self.events else None)

    def send_binary(self, data):
        self.connection.send_message(Soup.WebsocketDataType.BINARY, GLib.Bytes.new(data))

    def end(self):
        return {"code": self.connection.get_close_code(), "reason": self.connection.get_close_data()}


echo = Websocket("/echo", ["superchat", "chat"])
tell("open", protocol=echo.connection.get_protocol())
for step, text in [
    ("text", "hello"),
    ("unicode", "Grüße, 世界 👋"),
    ("ping of the server", "ping me"),
]:
    echo.connection.send_text(text)
    tell(step, echo=echo.next().decode())
echo.send_binary(bytes([0, 1, 2, 253, 254, 255]))
tell("binary", echo=list(echo.next()))
echo.send_binary(LARGE)
tell("large", **compare(LARGE, echo.next()))
# Its pings are sent at an interval, in seconds.
echo.connection.set_keepalive_interval(1)
event = echo.next()
tell("ping", pong="payload" if event == "pong" else event)
echo.connection.set_keepalive_interval(0)
echo.connection.close(4001, "bye")
echo.next()
tell("close", **echo.end())

compressed = Websocket("/compressed")
compressed.send_binary(bytes(100_000))
tell("compressed", **compare(bytes(100_000), compressed.next()))
compressed.connection.close(1000, None)
compressed.next()

goodbye = Websocket("/goodbye")
goodbye.next()
tell("close of the server", **goodbye.end())

lost = Websocket("/lost")
lost.connection.send_text("lose me")
event = lost.next()
tell("lost", error=str(event), code=lost.connection.get_close_code())

refused = Websocket("/refused")
tell("refused", error=refused.failure.message, status=int(refused.message.get_status()))
