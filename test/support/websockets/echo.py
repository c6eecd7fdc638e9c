"""An echo by Python's websockets, for clients with a certificate: certificate, key and CA are the arguments."""

import asyncio
import ssl
import sys

import websockets


async def answer(socket, *_):
    async for message in socket:
        if message == "who":
            subject = socket.transport.get_extra_info("peercert")["subject"]
            await socket.send(dict(pair for (pair,) in subject)["commonName"])
        elif message == "fragments":
            await socket.send(iter(["one ", "two ", "three"]))
        elif message == "ping":
            await (await socket.ping(b"there?"))
            await socket.send("pong came")
        elif message == "close":
            await socket.close(4001, "as asked")
        else:
            await socket.send(message)


async def main():
    certificate, key, authority = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    options = {"ssl": context, "subprotocols": ["v2", "v1"], "max_size": 2**26}
    async with websockets.serve(answer, "127.0.0.1", 0, **options) as server:
        print("PORT", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
