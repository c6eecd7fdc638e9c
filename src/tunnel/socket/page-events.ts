/**
 * Calls back when a page may have lost its connections unseen: the network is back, or the page is shown or resumed.
 *
 * Gives the function that ends this. Where there are no such events, as in Node, nothing happens.
 */
export function watchPage(onDoubt: () => void): () => void {
  const targets: [EventTarget | undefined, string[]][] = [
    [globalThis.window ?? workerScope(), ['online', 'pageshow']],
    [globalThis.document, ['resume', 'visibilitychange']],
  ];
  const onEvent = () => {
    if (globalThis.document?.visibilityState !== 'hidden') onDoubt();
  };
  for (const [target, names] of targets) for (const name of names) target?.addEventListener(name, onEvent);
  return () => {
    for (const [target, names] of targets)
      for (const name of names) target?.removeEventListener(name, onEvent);
  };
}

function workerScope(): EventTarget | undefined {
  return 'WorkerGlobalScope' in globalThis ? (globalThis as unknown as EventTarget) : undefined;
}
