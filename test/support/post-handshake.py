"""Asks each client for a certificate after the handshake, and tells what came of it: certificate, key and CA are the arguments."""

import socket
import ssl
import sys

certificate, key, authority = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.load_verify_locations(authority)
context.post_handshake_auth = True
listener = socket.create_server(("127.0.0.1", 0))
print("PORT", listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    with context.wrap_socket(connection, server_side=True) as client:
        client.recv(1024)
        try:
            client.verify_client_post_handshake()
            client.sendall(b"asked")
        except ssl.SSLError as error:
            client.sendall(error.reason.encode())
        client.unwrap()
