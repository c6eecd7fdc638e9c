import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { CloseCode } from '../../../src/tunnel/wire/codes.js';
import type { Admit } from '../../src/admission/admission.js';
import { GuessThrottle } from '../../src/admission/budgets/guesses.js';
import { PageBudget } from '../../src/admission/budgets/page-budget.js';
import { ProvenBudget } from '../../src/admission/budgets/proven.js';
import type { RelayEvent, RelayOptions } from '../../src/index.js';
import { RelayResources } from '../../src/memory/resources.js';
import { parseRelayOptions } from '../../src/options.js';
import { createConnector } from '../../src/policy/connection/create-connector.js';
import { ReadGate } from '../../src/session/read-gate.js';
import { Session } from '../../src/session/session.js';

export interface TestSessions {
  url: string;
  events: RelayEvent[];
  resources: RelayResources;
  sessions: Session[];
}

/** Sessions of WebSockets without the rest of a relay, so that a test can decide on admission and look at the memory. */
export async function startSessions(options: RelayOptions, admit?: Admit): Promise<TestSessions> {
  const events: RelayEvent[] = [];
  const settings = parseRelayOptions({ ...options, log: event => events.push(event) });
  const resources = new RelayResources(settings, createConnector(settings));
  const sessions: Session[] = [];
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: ([first]) => first ?? false,
  });
  await once(server, 'listening');
  server.on('connection', webSocket => {
    const budget = new PageBudget({
      ...{ key: '127.0.0.1', origin: undefined, ways: admit ? [admit] : [], limits: settings },
      ...{ guesses: new GuessThrottle(), proven: new ProvenBudget(settings) },
      onAdmitted: () => {},
      goAway: () => session.goAway(),
      close: (code, reason) => session.close(code, reason),
    });
    const gate = new ReadGate(webSocket);
    const parts = {
      id: sessions.length + 1,
      settings,
      resources,
      memory: resources.memory.page('127.0.0.1'),
      budget,
      gate,
      charge: () => {},
      remoteAddress: '127.0.0.1',
    };
    const session = new Session(webSocket, parts);
    sessions.push(session);
  });
  onTestFinished(() => {
    for (const session of sessions) session.close(CloseCode.shutdown, '');
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, events, resources, sessions };
}
