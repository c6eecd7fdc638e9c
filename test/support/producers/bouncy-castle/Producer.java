import java.io.ByteArrayOutputStream;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERBMPString;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.oiw.OIWObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PBKDF2Params;
import org.bouncycastle.asn1.pkcs.PBMAC1Params;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.crypto.util.PBKDFConfig;
import org.bouncycastle.crypto.util.ScryptConfig;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.OutputEncryptor;
import org.bouncycastle.pkcs.PKCS12MacCalculatorBuilder;
import org.bouncycastle.pkcs.PKCS12PfxPduBuilder;
import org.bouncycastle.pkcs.PKCS12SafeBag;
import org.bouncycastle.pkcs.PKCS12SafeBagBuilder;
import org.bouncycastle.pkcs.bc.BcPKCS12PBMac1CalculatorBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS12SafeBagBuilder;
import org.bouncycastle.pkcs.jcajce.JcePKCS12MacCalculatorBuilder;
import org.bouncycastle.pkcs.jcajce.JcePKCSPBEOutputEncryptorBuilder;

/**
 * Writes PKCS#12 files with Bouncy Castle's key stores and with its builders.
 * Arguments: a folder with client.key, other.key, client.pem, other.pem, intermediate.pem and root.pem; it gets [name].p12.
 */
public class Producer {
  static final Provider PROVIDER = new BouncyCastleProvider();
  static final char[] PASSWORD = "secret".toCharArray();
  static Path folder;
  static PrivateKey key;
  static PrivateKey otherKey;
  static X509Certificate[] chain;
  static X509Certificate[] otherChain;

  public static void main(String[] args) throws Exception {
    Security.addProvider(PROVIDER);
    folder = Path.of(args[0]);
    key = key("client.key");
    otherKey = key("other.key");
    X509Certificate intermediate = certificate("intermediate.pem");
    X509Certificate root = certificate("root.pem");
    chain = new X509Certificate[] {certificate("client.pem"), intermediate, root};
    otherChain = new X509Certificate[] {certificate("other.pem"), intermediate, root};
    keyStores();
    keyPasswords();
    macs();
    encryptions();
    shapes();
  }

  static void keyStores() throws Exception {
    for (String type :
        List.of(
            "PKCS12", "PKCS12-DEF", "PKCS12-3DES-3DES", "PKCS12-AES256-AES128", "PKCS12-AES256-AES128-GCM")) {
      KeyStore store = KeyStore.getInstance(type, PROVIDER);
      store.load(null, PASSWORD);
      store.setKeyEntry("ada", key, PASSWORD, chain);
      write("store " + type, store);
      store.setKeyEntry("bob", otherKey, PASSWORD, otherChain);
      write("store " + type + " with two keys", store);
    }
    KeyStore bks = KeyStore.getInstance("BKS", PROVIDER);
    bks.load(null, PASSWORD);
    bks.setKeyEntry("ada", key, PASSWORD, chain);
    write("bad BKS", bks);
  }

  /** Keys with a password of their own, which keytool does not write any more and programs do. */
  static void keyPasswords() throws Exception {
    char[] other = "otherpass".toCharArray();
    KeyStore jdk = KeyStore.getInstance("PKCS12");
    jdk.load(null, PASSWORD);
    jdk.setKeyEntry("ada", key, other, chain);
    write("key password of the JDK", jdk);
    write("bad key password of the JDK", jdk);
    jdk.setKeyEntry("bob", otherKey, PASSWORD, otherChain);
    write("one key password of two of the JDK", jdk);
    jdk.setKeyEntry("bob", otherKey, other, otherChain);
    write("key password of two of the JDK", jdk);
    // Keys are encrypted with the password of the store, whatever was given; through the builders they are not.
    var encryptor =
        new JcePKCSPBEOutputEncryptorBuilder(NISTObjectIdentifiers.id_aes256_CBC)
            .setProvider(PROVIDER)
            .setIterationCount(2_000);
    PKCS12PfxPduBuilder built = new PKCS12PfxPduBuilder();
    List<PKCS12SafeBag> bags = new ArrayList<>();
    for (X509Certificate each : chain) bags.add(certificateBag(each).build());
    built.addEncryptedData(encryptor.build(other), bags.toArray(new PKCS12SafeBag[0]));
    PKCS12SafeBagBuilder bag = keyBag(encryptor.build(other));
    bag.addBagAttribute(PKCS12SafeBag.friendlyNameAttribute, new DERBMPString("ada"));
    built.addData(bag.build());
    write("key password for everything", built, mac());
  }

  static void macs() throws Exception {
    Map<String, ASN1ObjectIdentifier> prfs = prfs();
    // The others it does not write.
    prfs.keySet().retainAll(List.of("SHA-256", "SHA-512"));
    for (Map.Entry<String, ASN1ObjectIdentifier> prf : prfs.entrySet()) {
      var salt = new byte[16];
      new SecureRandom().nextBytes(salt);
      var kdf = new PBKDF2Params(salt, 10_000, 32, algorithm(prf.getValue()));
      var parameters =
          new PBMAC1Params(
              new AlgorithmIdentifier(PKCSObjectIdentifiers.id_PBKDF2, kdf), algorithm(prf.getValue()));
      write("PBMAC1 " + prf.getKey(), pfx(aes256(), aes256()), new BcPKCS12PBMac1CalculatorBuilder(parameters));
    }
    write("MAC SHA-1", pfx(aes256(), aes256()), mac(OIWObjectIdentifiers.idSHA1));
    write("MAC SHA-256", pfx(aes256(), aes256()), mac());
  }

  static void encryptions() throws Exception {
    for (Map.Entry<String, ASN1ObjectIdentifier> prf : prfs().entrySet()) {
      JcePKCSPBEOutputEncryptorBuilder builder =
          new JcePKCSPBEOutputEncryptorBuilder(NISTObjectIdentifiers.id_aes128_CBC);
      builder.setProvider(PROVIDER).setPRF(algorithm(prf.getValue())).setIterationCount(2_000);
      write("PBKDF2 " + prf.getKey(), pfx(builder.build(PASSWORD), builder.build(PASSWORD)), mac());
    }
    PBKDFConfig scrypt = new ScryptConfig.Builder(16_384, 8, 1).withSaltLength(20).build();
    PBKDFConfig wide = new ScryptConfig.Builder(1_024, 4, 3).withSaltLength(20).build();
    for (Map.Entry<String, PBKDFConfig> config :
        Map.of("16384-8-1", scrypt, "1024-4-3", wide).entrySet()) {
      JcePKCSPBEOutputEncryptorBuilder builder =
          new JcePKCSPBEOutputEncryptorBuilder(config.getValue(), NISTObjectIdentifiers.id_aes256_CBC);
      builder.setProvider(PROVIDER);
      write("scrypt " + config.getKey(), pfx(builder.build(PASSWORD), builder.build(PASSWORD)), mac());
    }
  }

  /** Odd, but valid. */
  static void shapes() throws Exception {
    PKCS12PfxPduBuilder clear = new PKCS12PfxPduBuilder();
    clear.addData(certificateBag(chain[0]).build());
    clear.addData(new PKCS12SafeBagBuilder(PrivateKeyInfo.getInstance(key.getEncoded())).build());
    write("everything in clear", clear, mac());
    write("no MAC", pfx(aes256(), aes256()), null);

    PKCS12PfxPduBuilder inside = new PKCS12PfxPduBuilder();
    inside.addEncryptedData(
        aes256(),
        new PKCS12SafeBag[] {
          certificateBag(chain[0]).build(),
          new PKCS12SafeBagBuilder(PrivateKeyInfo.getInstance(key.getEncoded())).build()
        });
    write("plain key inside an encrypted part", inside, mac());

    PKCS12PfxPduBuilder many = new PKCS12PfxPduBuilder();
    for (X509Certificate each : chain) many.addEncryptedData(aes256(), certificateBag(each).build());
    many.addData(keyBag(aes256()).build());
    write("a part for each certificate", many, mac());

    PKCS12PfxPduBuilder named = new PKCS12PfxPduBuilder();
    PKCS12SafeBagBuilder bag = keyBag(aes256());
    bag.addBagAttribute(PKCS12SafeBag.friendlyNameAttribute, new DERBMPString("Zo\u00eb \ud83d\udd11"));
    bag.addBagAttribute(PKCS12SafeBag.localKeyIdAttribute, new DEROctetString(new byte[] {1}));
    PKCS12SafeBagBuilder wrong = certificateBag(chain[2]);
    wrong.addBagAttribute(PKCS12SafeBag.localKeyIdAttribute, new DEROctetString(new byte[] {1}));
    named.addData(bag.build());
    named.addData(certificateBag(chain[0]).build());
    named.addData(certificateBag(chain[1]).build());
    named.addData(wrong.build());
    write("localKeyId on the wrong certificate", named, mac());
  }

  static PKCS12PfxPduBuilder pfx(OutputEncryptor keys, OutputEncryptor certificates) throws Exception {
    PKCS12PfxPduBuilder builder = new PKCS12PfxPduBuilder();
    List<PKCS12SafeBag> bags = new ArrayList<>();
    for (X509Certificate each : chain) bags.add(certificateBag(each).build());
    builder.addEncryptedData(certificates, bags.toArray(new PKCS12SafeBag[0]));
    builder.addData(keyBag(keys).build());
    return builder;
  }

  static PKCS12SafeBagBuilder certificateBag(X509Certificate certificate) throws Exception {
    return new JcaPKCS12SafeBagBuilder(certificate);
  }

  static PKCS12SafeBagBuilder keyBag(OutputEncryptor encryptor) throws Exception {
    return new JcaPKCS12SafeBagBuilder(key, encryptor);
  }

  static OutputEncryptor aes256() throws Exception {
    return new JcePKCSPBEOutputEncryptorBuilder(NISTObjectIdentifiers.id_aes256_CBC)
        .setProvider(PROVIDER)
        .setIterationCount(2_000)
        .build(PASSWORD);
  }

  static PKCS12MacCalculatorBuilder mac() {
    return mac(NISTObjectIdentifiers.id_sha256);
  }

  static PKCS12MacCalculatorBuilder mac(ASN1ObjectIdentifier hash) {
    return new JcePKCS12MacCalculatorBuilder(hash).setProvider(PROVIDER).setIterationCount(2_000);
  }

  static Map<String, ASN1ObjectIdentifier> prfs() {
    Map<String, ASN1ObjectIdentifier> prfs = new LinkedHashMap<>();
    prfs.put("SHA-1", PKCSObjectIdentifiers.id_hmacWithSHA1);
    prfs.put("SHA-224", PKCSObjectIdentifiers.id_hmacWithSHA224);
    prfs.put("SHA-256", PKCSObjectIdentifiers.id_hmacWithSHA256);
    prfs.put("SHA-384", PKCSObjectIdentifiers.id_hmacWithSHA384);
    prfs.put("SHA-512", PKCSObjectIdentifiers.id_hmacWithSHA512);
    return prfs;
  }

  static AlgorithmIdentifier algorithm(ASN1ObjectIdentifier oid) {
    return new AlgorithmIdentifier(oid, DERNull.INSTANCE);
  }

  static void write(String name, KeyStore store) throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    store.store(out, PASSWORD);
    Files.write(folder.resolve(name + ".p12"), out.toByteArray());
  }

  static void write(String name, PKCS12PfxPduBuilder builder, PKCS12MacCalculatorBuilder mac)
      throws Exception {
    byte[] file = builder.build(mac, PASSWORD).getEncoded(ASN1Encoding.BER);
    Files.write(folder.resolve(name + ".p12"), file);
  }

  static PrivateKey key(String name) throws Exception {
    try (Reader reader = Files.newBufferedReader(folder.resolve(name))) {
      Object parsed = new PEMParser(reader).readObject();
      return new JcaPEMKeyConverter().setProvider(PROVIDER).getPrivateKey((PrivateKeyInfo) parsed);
    }
  }

  static X509Certificate certificate(String name) throws Exception {
    try (Reader reader = Files.newBufferedReader(folder.resolve(name))) {
      Object parsed = new PEMParser(reader).readObject();
      return new JcaX509CertificateConverter().getCertificate((X509CertificateHolder) parsed);
    }
  }
}
