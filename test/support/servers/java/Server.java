import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsExchange;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManagerFactory;

/** The JDK's HttpsServer; a listener for each line of the given file: port, TLS version, required or optional, .p12 file, its password, CA file. */
public final class Server {
  public static void main(String[] arguments) throws Exception {
    for (String line : Files.readAllLines(Path.of(arguments[0]))) {
      listen(List.of(line.split("\t")));
    }
  }

  private static void listen(List<String> setting) throws Exception {
    HttpsServer server = HttpsServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(setting.get(0))), 0);
    SSLContext context = context(Path.of(setting.get(3)), setting.get(4).toCharArray(), Path.of(setting.get(5)));
    server.setHttpsConfigurator(
        new HttpsConfigurator(context) {
          @Override
          public void configure(HttpsParameters parameters) {
            SSLParameters wanted = getSSLContext().getDefaultSSLParameters();
            wanted.setProtocols(new String[] {setting.get(1)});
            if (setting.get(2).equals("required")) {
              wanted.setNeedClientAuth(true);
            } else {
              wanted.setWantClientAuth(true);
            }
            parameters.setSSLParameters(wanted);
          }
        });
    server.createContext("/", Server::who);
    server.createContext("/sum", Server::sum);
    server.createContext("/bytes", Server::bytes);
    server.createContext("/head", Server::head);
    server.setExecutor(Executors.newCachedThreadPool());
    server.start();
  }

  private static SSLContext context(Path identity, char[] password, Path authority) throws Exception {
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream input = Files.newInputStream(identity)) {
      keys.load(input, password);
    }
    KeyManagerFactory keyManagers = KeyManagerFactory.getInstance("PKIX");
    keyManagers.init(keys, password);
    KeyStore authorities = KeyStore.getInstance("PKCS12");
    authorities.load(null, null);
    try (InputStream input = Files.newInputStream(authority)) {
      authorities.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(input));
    }
    TrustManagerFactory trustManagers = TrustManagerFactory.getInstance("PKIX");
    trustManagers.init(authorities);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keyManagers.getKeyManagers(), trustManagers.getTrustManagers(), null);
    return context;
  }

  private static void who(HttpExchange exchange) throws IOException {
    String subject = "";
    try {
      subject = ((HttpsExchange) exchange).getSSLSession().getPeerPrincipal().getName();
    } catch (SSLPeerUnverifiedException none) {
      // The client has shown no certificate.
    }
    answer(exchange, "subject=" + subject);
  }

  private static void sum(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
    try {
      String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
      answer(exchange, "{\"length\":" + body.length + ",\"sha256\":\"" + digest + "\"}");
    } catch (java.security.NoSuchAlgorithmException impossible) {
      throw new IOException(impossible);
    }
  }

  /** `?size=N`: byte i is i mod 251, from the start again every 64 KiB. */
  private static void bytes(HttpExchange exchange) throws IOException {
    int left = Integer.parseInt(exchange.getRequestURI().getQuery().substring("size=".length()));
    byte[] block = new byte[1 << 16];
    for (int i = 0; i < block.length; i++) {
      block[i] = (byte) (i % 251);
    }
    exchange.sendResponseHeaders(200, left);
    for (; left > 0; left -= block.length) {
      exchange.getResponseBody().write(block, 0, Math.min(left, block.length));
    }
    exchange.close();
  }

  /** `?size=N`: fields of 4,000 bytes. */
  private static void head(HttpExchange exchange) throws IOException {
    int size = Integer.parseInt(exchange.getRequestURI().getQuery().substring("size=".length()));
    for (int at = 0; at * 4000 < size; at++) {
      exchange.getResponseHeaders().set("X-Part-" + at, "y".repeat(4000));
    }
    answer(exchange, "ok");
  }

  private static void answer(HttpExchange exchange, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(200, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }
}
