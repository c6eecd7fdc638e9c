/** A server that the demo knows. `expect` is the error code of one that no client should trust. */
export interface Target {
  id: string;
  title: string;
  hostname: string;
  port: number;
  expect?: string;
}

export interface Sample {
  url: string;
  file: string;
  title: string;
  about: string;
}

/** What the page connects by. */
export interface DemoConfig {
  relay: { url: string; token: string };
  targets: Target[];
  anchors: string[];
  /** Whether the relay records what it passes on, and tells it. */
  hasRecord: boolean;
}

/** What `npm start` tells the page. */
export interface LocalConfig extends DemoConfig {
  /** Where identities are enrolled. */
  authority: { kind: 'step-ca' | 'stand-in'; url: string };
  samples: Sample[];
  password: string;
}

/** Undefined where nothing but the page is served, as in the static build. */
export async function loadConfig(): Promise<LocalConfig | undefined> {
  const response = await fetch('./demo-config.json').catch(() => undefined);
  if (!response?.ok || !response.headers.get('content-type')?.includes('json')) return undefined;
  const config = (await response.json()) as LocalConfig | null;
  return config ? { ...config, hasRecord: true } : undefined;
}
