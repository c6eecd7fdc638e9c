/** All names of the package, with every part brought along: for contexts without `import()`. */
import { Challenges } from './authentication/challenges.js';
import { startClient } from './client/client.js';
import { clientPart } from './client/create-client.js';
import { challengesPart, diagnosticsPart } from './client/option-parts.js';
import { Diagnostics, readDiagnostics } from './diagnostics/diagnostics.js';
import { pkcs7Part } from './enroll/certificates.js';
import { certificatesOfPkcs7 } from './enroll/pkcs7.js';
import { decoderPart } from './fetch/decoding/decoders.js';
import { decodeInWasm, loadDecoders } from './fetch/decoding/wasm-decoder.js';
import { LimitedJar, setsForHost } from './http/cookies/cookie-jar.js';
import { jarPart } from './http/cookies/cookies.js';
import { scryptPart } from './p12/decryption/derivations.js';
import { scryptAsync } from './p12/decryption/scrypt.js';
import { importFile, inspectFile } from './p12/import.js';
import { importerPart } from './p12/open-pkcs12.js';
import { openWebSocket, WebSocketConnection } from './websocket/protocol.js';
import { protocolPart } from './websocket/web-socket.js';

clientPart.provide({ startClient });
challengesPart.provide({ Challenges });
diagnosticsPart.provide({ Diagnostics, readDiagnostics });
jarPart.provide({ LimitedJar, setsForHost });
decoderPart.provide({ decodeInWasm, loadDecoders });
protocolPart.provide({ openWebSocket, WebSocketConnection });
importerPart.provide({ importFile, inspectFile });
scryptPart.provide({ scryptAsync });
pkcs7Part.provide({ certificatesOfPkcs7 });

export * from './index.js';
