"""With Qt, through PyQt: python3 qt_client.py ws://127.0.0.1:8000"""
import json
import sys

from PyQt5.QtCore import QByteArray, QCoreApplication, QEventLoop, QUrl
from PyQt5.QtNetwork import QNetworkRequest
from PyQt5.QtWebSockets import QWebSocket, QWebSocketProtocol

URL = sys.argv[1]
LARGE = bytes(i % 251 for i in range(1_048_576))
app = QCoreApplication(sys.argv)


def tell(step, **seen):
    print(json.dumps({"step": step, **seen}), flush=True)


def compare(sent, received):
    return {"length": len(received), "same": sent == received}


class Websocket:
    """A websocket, and what it has received."""

    def __init__(self, path):
        self.events = []
        self.qt = QWebSocket()
        self.qt.connected.connect(lambda: self.events.append("connected"))
        self.qt.textMessageReceived.connect(self.events.append)
        self.qt.binaryMessageReceived.connect(lambda data: self.events.append(bytes(data)))
        self.qt.pong.connect(lambda _elapsed, payload: self.events.append(bytes(payload)))
        self.qt.disconnected.connect(lambda: self.events.append("disconnected"))
        self.qt.error.connect(lambda _error: self.events.append("error"))
        request = QNetworkRequest(QUrl(URL + path))
        # Qt 5 has no other way to offer subprotocols.
        if path == "/echo":
            request.setRawHeader(b"Sec-WebSocket-Protocol", b"superchat, chat")
        self.qt.open(request)

    def next(self):
        while not self.events:
            app.processEvents(QEventLoop.WaitForMoreEvents)
        return self.events.pop(0)

    def end(self):
        return {"code": int(self.qt.closeCode()), "reason": self.qt.closeReason()}


echo = Websocket("/echo")
echo.next()
tell("open", protocol=None)
for step, text in [
    ("text", "hello"),
    ("unicode", "Grüße, 世界 👋"),
    ("ping of the server", "ping me"),
]:
    echo.qt.sendTextMessage(text)
    tell(step, echo=echo.next())
echo.qt.sendBinaryMessage(QByteArray(bytes([0, 1, 2, 253, 254, 255])))
tell("binary", echo=list(echo.next()))
echo.qt.sendBinaryMessage(QByteArray(LARGE))
tell("large", **compare(LARGE, echo.next()))
echo.qt.ping(QByteArray(b"payload"))
tell("ping", pong=echo.next().decode())
echo.qt.close(QWebSocketProtocol.CloseCode(4001), "bye")
echo.next()
tell("close", **echo.end())

goodbye = Websocket("/goodbye")
goodbye.next()
goodbye.next()
tell("close of the server", **goodbye.end())

lost = Websocket("/lost")
lost.next()
lost.qt.sendTextMessage("lose me")
tell("lost", error=lost.next(), text=lost.qt.errorString(), code=int(lost.qt.closeCode()))

refused = Websocket("/refused")
tell("refused", event=refused.next(), error=refused.qt.errorString())
