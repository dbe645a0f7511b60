import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;

/** With Java's HttpClient: java JavaClient.java ws://127.0.0.1:8000 */
public class JavaClient {
  private static final HttpClient client = HttpClient.newHttpClient();
  private static String url;

  public static void main(String[] args) throws Exception {
    url = args[0];
    Inbox echo = new Inbox();
    WebSocket websocket = client.newWebSocketBuilder().subprotocols("superchat", "chat")
        .buildAsync(URI.create(url + "/echo"), echo).join();
    tell("open", "\"protocol\":" + quote(websocket.getSubprotocol()));
    for (String[] each : new String[][] {
          {"text", "hello"}, {"unicode", "Grüße, 世界 👋"}, {"ping of the server", "ping me"}}) {
      websocket.sendText(each[1], true).join();
      tell(each[0], "\"echo\":" + quote((String) echo.take()));
    }
    websocket.sendBinary(ByteBuffer.wrap(new byte[] {0, 1, 2, (byte) 253, (byte) 254, (byte) 255}), true).join();
    List<Integer> numbers = new ArrayList<>();
    for (byte each : (byte[]) echo.take()) numbers.add(each & 255);
    tell("binary", "\"echo\":" + numbers);
    byte[] large = new byte[1_048_576];
    for (int i = 0; i < large.length; i++) large[i] = (byte) (i % 251);
    websocket.sendBinary(ByteBuffer.wrap(large), true).join();
    byte[] received = (byte[]) echo.take();
    tell("large", "\"length\":" + received.length + ",\"same\":" + Arrays.equals(large, received));
    websocket.sendText("in ", false).join();
    websocket.sendText("three ", false).join();
    websocket.sendText("parts", true).join();
    tell("parts", "\"echo\":" + quote((String) echo.take()));
    websocket.sendPing(ByteBuffer.wrap("payload".getBytes("UTF-8"))).join();
    tell("ping", "\"pong\":" + quote((String) echo.take()));
    websocket.sendClose(4001, "bye").join();
    tell("close", (String) echo.take());

    Inbox goodbye = new Inbox();
    open("/goodbye", goodbye);
    tell("close of the server", (String) goodbye.take());

    Inbox lost = new Inbox();
    open("/lost", lost).sendText("lose me", true).join();
    tell("lost", (String) lost.take());

    try {
      open("/refused", new Inbox());
    } catch (CompletionException failure) {
      WebSocketHandshakeException error = (WebSocketHandshakeException) failure.getCause();
      tell("refused", "\"error\":" + quote(error.toString())
          + ",\"status\":" + error.getResponse().statusCode()
          + ",\"body\":" + (error.getResponse().body() == null ? "null" : quote("" + error.getResponse().body())));
    }
    System.exit(0);
  }

  private static WebSocket open(String path, Inbox inbox) {
    return client.newWebSocketBuilder().buildAsync(URI.create(url + path), inbox).join();
  }

  private static void tell(String step, String seen) throws Exception {
    // In UTF-8, whatever the locale says.
    System.out.write(("{\"step\":" + quote(step) + "," + seen + "}\n").getBytes("UTF-8"));
    System.out.flush();
  }

  private static String quote(String text) {
    return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
  }

  /** The messages, pongs and ends of a websocket, in order. */
  private static class Inbox implements WebSocket.Listener {
    private final BlockingQueue<Object> events = new LinkedBlockingQueue<>();
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    Object take() throws InterruptedException {
      return events.take();
    }

    @Override
    public CompletionStage<?> onText(WebSocket websocket, CharSequence part, boolean last) {
      text.append(part);
      if (last) {
        events.add(text.toString());
        text.setLength(0);
      }
      websocket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket websocket, ByteBuffer part, boolean last) {
      byte[] copy = new byte[part.remaining()];
      part.get(copy);
      bytes.writeBytes(copy);
      if (last) {
        events.add(bytes.toByteArray());
        bytes.reset();
      }
      websocket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onPong(WebSocket websocket, ByteBuffer payload) {
      byte[] copy = new byte[payload.remaining()];
      payload.get(copy);
      events.add(new String(copy));
      websocket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket websocket, int code, String reason) {
      events.add("\"code\":" + code + ",\"reason\":" + quote(reason));
      return null;
    }

    @Override
    public void onError(WebSocket websocket, Throwable error) {
      events.add("\"error\":" + quote(error.toString()));
    }
  }
}
