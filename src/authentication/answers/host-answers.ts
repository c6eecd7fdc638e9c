import type { HostPort } from '../../util/host-port.js';
import type { Choice } from '../choice/choice.js';
import type { ServerVerdict } from './server-verdict.js';
import { SessionPartitions } from './session-partitions.js';
import { SharedAnswer } from './shared-answer.js';

/** The answers for the session about one host and port. */
export class HostAnswers {
  readonly target: HostPort;
  readonly sessions: SessionPartitions;
  readonly choice = new SharedAnswer<Choice>();
  /** By the server's certificate and what verification said about it. */
  readonly verdicts = new Map<string, { fingerprint: string; answer: SharedAnswer<ServerVerdict> }>();
  /** How often it was forgotten: connections made by earlier answers take no new request. */
  epoch = 0;
  /** Whether the page itself has asked for this host: by `fetch`, `WebSocket` or `connect`, and not by a redirect. */
  asked = false;

  constructor(target: HostPort) {
    this.target = target;
    this.sessions = new SessionPartitions(target);
  }

  /** Forgets the answers that hold; an open question is unaffected. */
  forget(): void {
    this.epoch++;
    this.choice.forget();
    for (const { answer } of this.verdicts.values()) answer.forget();
    this.sessions.end();
  }

  verdict(fingerprint: string, code: string | undefined): SharedAnswer<ServerVerdict> {
    const key = JSON.stringify([fingerprint, code]);
    const known = this.verdicts.get(key) ?? { fingerprint, answer: new SharedAnswer<ServerVerdict>() };
    this.verdicts.set(key, known);
    return known.answer;
  }
}
