import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.security.cert.X509Certificate;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Java's HttpClient as people use it: it asks for HTTP/2, which over plain HTTP means "Upgrade: h2c" on every request.
 * Prints one line for each response. Usage: java HttpClientProbe.java http://127.0.0.1:8000/echo
 */
public class HttpClientProbe {
  public static void main(String[] args) throws Exception {
    SSLContext trusting = SSLContext.getInstance("TLS");
    trusting.init(null, new TrustManager[] {new TrustsAll()}, null);
    HttpClient client = HttpClient.newBuilder().sslContext(trusting).build();
    URI url = URI.create(args[0]);

    for (int i = 0; i < 2; i++) {
      print(client, HttpRequest.newBuilder(url).GET());
      print(client, HttpRequest.newBuilder(url).POST(BodyPublishers.ofString("a body")));
      // Sent with chunked encoding, because its length is unknown.
      String large = "x".repeat(200_000);
      print(client, HttpRequest.newBuilder(url).POST(BodyPublishers.ofInputStream(() ->
          new java.io.ByteArrayInputStream(large.getBytes()))));
    }

    URI address = URI.create(args[0].replaceFirst("^http", "ws"));
    CompletableFuture<String> answer = new CompletableFuture<>();
    WebSocket websocket = client.newWebSocketBuilder().buildAsync(address, new WebSocket.Listener() {
      @Override
      public CompletionStage<?> onText(WebSocket ws, CharSequence text, boolean last) {
        answer.complete(text.toString());
        return null;
      }
    }).get(5, TimeUnit.SECONDS);
    websocket.sendText("from Java", true);
    System.out.println("WebSocket " + answer.get(5, TimeUnit.SECONDS));
    websocket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(5, TimeUnit.SECONDS);
    System.exit(0);
  }

  private static void print(HttpClient client, HttpRequest.Builder request) throws Exception {
    var response = client.send(request.timeout(java.time.Duration.ofSeconds(5)).build(), BodyHandlers.ofString());
    System.out.println(response.version() + " " + response.statusCode() + " " + response.body());
  }

  /** Trusts every certificate, because that of the test is self-signed. */
  private static class TrustsAll extends X509ExtendedTrustManager {
    @Override public void checkClientTrusted(X509Certificate[] chain, String type) {}
    @Override public void checkServerTrusted(X509Certificate[] chain, String type) {}
    @Override public void checkClientTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}
    @Override public void checkServerTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}
    @Override public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}
    @Override public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}
    @Override public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
  }
}
