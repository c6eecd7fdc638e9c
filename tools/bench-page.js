// The page of tools/bench-browser.mjs: measures the package beside the browser's own fetch and WebSocket, and posts what it found.
import { createClient } from '/lib/index.js';
import { medianTimes } from '/median-times.js';

const { relay, ca, origin, rounds, downloadBytes, uploadBytes, textBytes } = await get('/config.json');
const client = await createClient({
  tunnel: relay,
  trust: { anchors: [ca] },
  webSocket: { maxMessageBytes: 1 << 26 },
});
const NATIVE = { fetch: (...args) => fetch(...args), WebSocket };
const both = [
  ['the browser’s own', NATIVE],
  ['browser-mtls, through the relay', client],
];

try {
  const groups = [
    [`download of ${downloadBytes >> 20} MiB, h2`, peers(download)],
    [`upload of ${uploadBytes >> 20} MiB as a stream, h2`, peers(upload)],
    [`${textBytes >> 20} MiB of JSON, h2`, codings()],
    ['WebSocket: 500 messages of 100 bytes, each after the answer to the last', peers(pingPong)],
    ['WebSocket: 5,000 messages of 100 bytes, there and back', peers(echoes(5_000, 100))],
    ['WebSocket: 300 messages of 64 KiB, there and back', peers(echoes(300, 65_536))],
  ];
  const results = [];
  for (const [title, entries] of groups) results.push({ title, entries: await measure(entries) });
  await fetch('/result', { method: 'POST', body: JSON.stringify({ results }) });
} catch (error) {
  await fetch('/result', { method: 'POST', body: JSON.stringify({ error: `${error?.stack ?? error}` }) });
}

function peers(run) {
  return both.map(([name, api]) => [name, () => run(api)]);
}

/** The same text plain and packed, for each of the two. */
function codings() {
  return both.flatMap(([name, api]) => [
    [name, () => receive(api, '/text', textBytes)],
    [`${name}, gzip`, () => receive(api, '/text?gzip', textBytes)],
  ]);
}

async function measure(entries) {
  const medians = await medianTimes(
    entries.map(([, run]) => run),
    rounds,
  );
  return entries.map(([name], index) => ({ name, ms: medians[index] }));
}

function download(api) {
  return receive(api, '/bytes', downloadBytes);
}

async function receive(api, path, length) {
  const { body } = await api.fetch(origin + path);
  const reader = body.getReader();
  let bytes = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) bytes += piece.value.length;
  if (bytes !== length) throw new Error(`${bytes} bytes came from ${path}`);
}

async function upload(api) {
  const block = new Uint8Array(65_536);
  let left = uploadBytes;
  const body = new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      left -= block.length;
      controller.enqueue(block.slice());
    },
  });
  const response = await api.fetch(`${origin}/count`, { method: 'POST', body, duplex: 'half' });
  const text = await response.text();
  if (text !== String(uploadBytes)) throw new Error(`${text} bytes arrived`);
}

async function pingPong(api) {
  const socket = await opened(api);
  for (let sent = 0; sent < 500; sent++) {
    const answered = new Promise(resolve => {
      socket.onmessage = resolve;
    });
    socket.send(new Uint8Array(100));
    await answered;
  }
  await closed(socket);
}

function echoes(count, size) {
  return async api => {
    const socket = await opened(api);
    const all = new Promise((resolve, reject) => {
      let left = count;
      socket.onmessage = () => --left === 0 && resolve();
      socket.onclose = () => reject(new Error('the WebSocket was closed'));
    });
    const message = new Uint8Array(size);
    for (let sent = 0; sent < count; sent++) socket.send(message);
    await all;
    await closed(socket);
  };
}

async function opened(api) {
  const socket = new api.WebSocket(origin.replace('https:', 'wss:'));
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return socket;
}

async function closed(socket) {
  const done = new Promise(resolve => {
    socket.onclose = resolve;
  });
  socket.close();
  await done;
}

async function get(path) {
  return (await fetch(path)).json();
}
