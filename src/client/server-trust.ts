import type { ServerVerdict } from '../authentication/answers/server-verdict.js';
import type { CertificateFailureCode, KeyPins } from '../engine/trust.js';
import { MtlsError } from '../errors.js';
import type { CertificateReader } from '../identity/certificates/certificate-reader.js';
import type { TrustResult } from '../identity/types.js';
import type { ServerTrustQuestion } from '../tls/types.js';
import type { TrustAnswer, TrustOptions, TrustQuestion } from '../trust/options.js';
import type { PinRules } from '../trust/pins.js';
import { toHex } from '../util/encoding.js';
import { formatHostPort, type HostPort } from '../util/host-port.js';

/** Decides about a server; `handler` is asked when the hook has not refused it. */
export type Judge = (
  question: ServerTrustQuestion,
  handler: (question: ServerTrustQuestion) => Promise<ServerVerdict['trust']>,
) => Promise<ServerVerdict['trust']>;

/** The client's `trust` option at work: pins by target, and its hook `evaluate` in front of the challenge handler. */
export class ServerTrust {
  #pins: PinRules;
  #evaluate: TrustOptions['evaluate'];
  #reader: CertificateReader;

  constructor(parts: { pins: PinRules; evaluate: TrustOptions['evaluate']; reader: CertificateReader }) {
    this.#pins = parts.pins;
    this.#evaluate = parts.evaluate;
    this.#reader = parts.reader;
  }

  pinsFor({ hostname, port }: HostPort): KeyPins | undefined {
    return this.#pins.for(hostname, port);
  }

  /**
   * For one connection: when it has to be made again, because the server did not wait for the hook, the hook's answer holds. A
   * refusal is final; what the hook trusts has no error any more when the handler is asked.
   */
  judge(target: HostPort): Judge {
    const evaluate = this.#evaluate;
    if (!evaluate) return (question, handler) => handler(question);
    const answers = new Map<string, TrustAnswer>();
    return async (question, handler) => {
      const key = keyOf(question);
      if (!answers.has(key)) answers.set(key, await evaluate(this.#shown(target, question)));
      const answer = answers.get(key);
      if (!accepts(answer)) throw question.error ?? refusal(target);
      const trusts = typeof answer === 'object' && question.error?.code !== 'ERR_TLS_PIN';
      const verdict = await handler(trusts ? { ...question, error: undefined } : question);
      return trusts ? 'trust' : verdict;
    };
  }

  #shown({ hostname: host, port }: HostPort, question: ServerTrustQuestion): TrustQuestion {
    const chain = this.#reader.describeChain(question.chain);
    return { host, port, chain, result: this.#result(question) };
  }

  #result({ chain, path, error }: ServerTrustQuestion): TrustResult {
    const found = this.#reader.describeChain(path.length > 0 ? path : chain);
    if (!error) return { trusted: true, chain: found };
    const code = error.code as CertificateFailureCode;
    return { trusted: false, code, message: error.message, chain: found };
  }
}

function keyOf({ chain, error }: ServerTrustQuestion): string {
  return JSON.stringify([chain.map(toHex), error?.code]);
}

/** @throws TypeError for what is no answer */
function accepts(answer: TrustAnswer): boolean {
  if (answer === undefined || typeof answer === 'boolean') return answer !== false;
  if (answer !== null && typeof answer === 'object' && answer.trust === true) return true;
  throw new TypeError('"trust.evaluate" must return a boolean, nothing, or { trust: true }');
}

function refusal(target: HostPort): MtlsError {
  const message = `The option trust.evaluate does not trust ${formatHostPort(target)}.`;
  return new MtlsError('ERR_TLS_CERT_UNTRUSTED', message);
}
