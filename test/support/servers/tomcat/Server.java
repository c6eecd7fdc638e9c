import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import java.util.List;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;

/**
 * Tomcat, embedded; in the given folder, a connector for each line of the given file: port, TLS version, required or optional, h2 or
 * http/1.1, certificate file, key file, CA file, seconds until idle connections end (0: Tomcat's own).
 */
public final class Server {
  public static void main(String[] arguments) throws Exception {
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(arguments[0]);
    for (String line : Files.readAllLines(Path.of(arguments[1]))) {
      tomcat.getService().addConnector(connector(List.of(line.split("\t"))));
    }
    Context context = tomcat.addContext("", null);
    Tomcat.addServlet(context, "answers", new Answers());
    context.addServletMappingDecoded("/*", "answers");
    tomcat.start();
    tomcat.getServer().await();
  }

  private static Connector connector(List<String> setting) throws Exception {
    Connector connector = new Connector();
    connector.setProperty("address", "127.0.0.1");
    connector.setPort(Integer.parseInt(setting.get(0)));
    connector.setScheme("https");
    connector.setSecure(true);
    connector.setProperty("SSLEnabled", "true");
    connector.setProperty("maxHttpResponseHeaderSize", "400000");
    int idleSeconds = Integer.parseInt(setting.get(7));
    if (idleSeconds > 0) {
      connector.setProperty("keepAliveTimeout", String.valueOf(idleSeconds * 1000));
    }
    if (setting.get(3).equals("h2")) {
      Http2Protocol http2 = new Http2Protocol();
      if (idleSeconds > 0) {
        http2.setKeepAliveTimeout(idleSeconds * 1000L);
      }
      connector.addUpgradeProtocol(http2);
    }
    SSLHostConfig tls = new SSLHostConfig();
    tls.setProtocols(setting.get(1));
    tls.setCertificateVerification(setting.get(2));
    tls.setTrustStore(authorities(Path.of(setting.get(6))));
    SSLHostConfigCertificate certificate = new SSLHostConfigCertificate(tls, SSLHostConfigCertificate.Type.UNDEFINED);
    certificate.setCertificateFile(setting.get(4));
    certificate.setCertificateKeyFile(setting.get(5));
    tls.addCertificate(certificate);
    connector.addSslHostConfig(tls);
    return connector;
  }

  private static KeyStore authorities(Path file) throws Exception {
    KeyStore authorities = KeyStore.getInstance("PKCS12");
    authorities.load(null, null);
    try (InputStream input = Files.newInputStream(file)) {
      authorities.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(input));
    }
    return authorities;
  }

  private static final class Answers extends HttpServlet {
    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
      switch (request.getRequestURI()) {
        case "/sum" -> sum(request, response);
        case "/bytes" -> bytes(size(request), response);
        case "/head" -> head(size(request), response);
        default -> answer(response, "subject=" + subject(request));
      }
    }
  }

  private static String subject(HttpServletRequest request) {
    Object chain = request.getAttribute("jakarta.servlet.request.X509Certificate");
    return chain == null ? "" : ((X509Certificate[]) chain)[0].getSubjectX500Principal().getName();
  }

  private static void sum(HttpServletRequest request, HttpServletResponse response) throws IOException {
    byte[] body = request.getInputStream().readAllBytes();
    try {
      String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
      answer(response, "{\"length\":" + body.length + ",\"sha256\":\"" + digest + "\"}");
    } catch (java.security.NoSuchAlgorithmException impossible) {
      throw new IOException(impossible);
    }
  }

  /** Byte i is i mod 251, from the start again every 64 KiB. */
  private static void bytes(int size, HttpServletResponse response) throws IOException {
    byte[] block = new byte[1 << 16];
    for (int i = 0; i < block.length; i++) {
      block[i] = (byte) (i % 251);
    }
    response.setContentLength(size);
    for (int left = size; left > 0; left -= block.length) {
      response.getOutputStream().write(block, 0, Math.min(left, block.length));
    }
  }

  /** Fields of 4,000 bytes. */
  private static void head(int size, HttpServletResponse response) throws IOException {
    for (int at = 0; at * 4000 < size; at++) {
      response.setHeader("X-Part-" + at, "y".repeat(4000));
    }
    answer(response, "ok");
  }

  private static int size(HttpServletRequest request) {
    return Integer.parseInt(request.getParameter("size"));
  }

  private static void answer(HttpServletResponse response, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    response.setContentLength(bytes.length);
    response.getOutputStream().write(bytes);
  }
}
