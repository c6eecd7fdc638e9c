"""Writes PKCS#12 files with each encryption that the cryptography package offers.

usage: python-cryptography.py <folder with client.key, client.pem, intermediate.pem, root.pem>, which gets <name>.p12
"""

import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

folder = pathlib.Path(sys.argv[1])


def certificate(name):
    return x509.load_pem_x509_certificate((folder / name).read_bytes())


key = serialization.load_pem_private_key((folder / "client.key").read_bytes(), None)
issuers = [certificate("intermediate.pem"), certificate("root.pem")]
builder = PrivateFormat.PKCS12.encryption_builder
PBES = pkcs12.PBES

encryptions = {
    "best available": serialization.BestAvailableEncryption(b"secret"),
    "none": serialization.NoEncryption(),
}
for pbes in (PBES.PBESv1SHA1And3KeyTripleDESCBC, PBES.PBESv2SHA256AndAES256CBC):
    for digest in (hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        chosen = builder().kdf_rounds(20000).key_cert_algorithm(pbes).hmac_hash(digest)
        encryptions[f"{pbes.name}, {digest.name}"] = chosen.build(b"secret")

for name, encryption in encryptions.items():
    data = pkcs12.serialize_key_and_certificates(b"of Python", key, certificate("client.pem"), issuers, encryption)
    (folder / f"{name}.p12").write_bytes(data)

certificates = [pkcs12.PKCS12Certificate(it, f"issuer {i} é".encode()) for i, it in enumerate(issuers)]
data = pkcs12.serialize_key_and_certificates(
    "Zoë 鍵".encode(), key, certificate("client.pem"), certificates, encryptions["best available"]
)
(folder / "named issuers.p12").write_bytes(data)
data = pkcs12.serialize_key_and_certificates(None, None, None, issuers, encryptions["best available"])
(folder / "certificates only.p12").write_bytes(data)
