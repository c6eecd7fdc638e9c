/** A channel to the other tabs of this origin; undefined where the platform has none. */
export function openChannel(
  name: string,
  onMessage: (event: MessageEvent) => void,
): BroadcastChannel | undefined {
  if (typeof BroadcastChannel !== 'function') return undefined;
  const channel = new BroadcastChannel(name);
  channel.onmessage = onMessage;
  // In Node, it would keep the process alive.
  (channel as { unref?(): void }).unref?.();
  return channel;
}
