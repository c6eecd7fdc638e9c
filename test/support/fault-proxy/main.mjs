// The process of a fault proxy: `start.mjs` starts it and calls its methods by messages.
import { FaultProxy } from './proxy.mjs';

const { targetPort, path } = JSON.parse(process.argv[2]);
const proxy = new FaultProxy(targetPort, path);

process.on('message', ({ id, call, value }) => {
  if (call === 'set') proxy.set(value);
  if (call === 'cutAll') proxy.cutAll(value);
  process.send({ id, connections: proxy.connections, passedBytes: proxy.passedBytes });
});
// Whoever started it has ended.
process.on('disconnect', () => process.exit());

process.send({ id: 0, port: await proxy.listen() });
