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

/** What `npm start` tells the page. */
export interface DemoConfig {
  relay: { url: string; token: string };
  /** Where identities are enrolled. */
  authority: { kind: 'step-ca' | 'stand-in'; url: string };
  targets: Target[];
  anchors: string[];
  samples: Sample[];
  password: string;
}

/** Undefined where nothing but the page is served, as in the static build. */
export async function loadConfig(): Promise<DemoConfig | undefined> {
  const response = await fetch('./demo-config.json').catch(() => undefined);
  if (!response?.ok || !response.headers.get('content-type')?.includes('json')) return undefined;
  return (await response.json()) as DemoConfig;
}
