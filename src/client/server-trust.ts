import type { Instance } from '../engine/instance.js';
import type { CertificateFailureCode, KeyPins } from '../engine/trust.js';
import { MtlsError } from '../errors.js';
import { describeCertificate } from '../identity/certificate.js';
import type { KeyTarget } from '../identity/key-access.js';
import type { TrustResult } from '../identity/types.js';
import type { ServerTrustQuestion } from '../tls/types.js';
import type { TrustAnswer, TrustOptions } from '../trust/options.js';
import type { PinRules } from '../trust/pins.js';

type Verdict = 'as-verified' | 'trust';

/** The client's `trust` option at work: pins by target, and its hook `evaluate` in front of the challenge handler. */
export class ServerTrust {
  #pins: PinRules;
  #evaluate: TrustOptions['evaluate'];
  #reader: Instance;

  constructor(parts: { pins: PinRules; evaluate: TrustOptions['evaluate']; reader: Instance }) {
    this.#pins = parts.pins;
    this.#evaluate = parts.evaluate;
    this.#reader = parts.reader;
  }

  pinsFor({ hostname, port }: KeyTarget): KeyPins | undefined {
    return this.#pins.for(hostname, port);
  }

  /** A refusal is final; what the hook trusts has no error any more when the handler is asked. */
  async evaluate(
    target: KeyTarget,
    question: ServerTrustQuestion,
    handler: (question: ServerTrustQuestion) => Promise<Verdict>,
  ): Promise<Verdict> {
    if (!this.#evaluate) return handler(question);
    const answer = await this.#evaluate({
      host: target.hostname,
      port: target.port,
      chain: question.chain.map(der => describeCertificate(this.#reader, der)),
      result: this.#result(question),
    });
    if (!accepts(answer)) throw question.error ?? refusal(target);
    const trusts = typeof answer === 'object' && question.error?.code !== 'ERR_TLS_PIN';
    const verdict = await handler(trusts ? { ...question, error: undefined } : question);
    return trusts ? 'trust' : verdict;
  }

  #result({ chain, path, error }: ServerTrustQuestion): TrustResult {
    const found = (path.length > 0 ? path : chain).map(der => describeCertificate(this.#reader, der));
    if (!error) return { trusted: true, chain: found };
    const code = error.code as CertificateFailureCode;
    return { trusted: false, code, message: error.message, chain: found };
  }
}

/** @throws TypeError for what is no answer */
function accepts(answer: TrustAnswer): boolean {
  if (answer === undefined || typeof answer === 'boolean') return answer !== false;
  if (answer !== null && typeof answer === 'object' && answer.trust === true) return true;
  throw new TypeError('trust.evaluate answers with a boolean, nothing, or { trust: true }');
}

function refusal({ hostname, port }: KeyTarget): MtlsError {
  const message = `The option trust.evaluate does not trust ${hostname}:${port}.`;
  return new MtlsError('ERR_TLS_CERT_UNTRUSTED', message);
}
