/** In a worker and a SharedWorker at once. */
globalThis.tryAll = options => {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  const shared = new SharedWorker(new URL('./shared-worker.js', import.meta.url), { type: 'module' });
  return Promise.all([worker, shared.port].map(port => answerOf(port, options)));
};

function answerOf(port, options) {
  return new Promise(resolve => {
    port.onmessage = ({ data }) => resolve(data);
    port.postMessage(options);
  });
}
