import { Emission, Question } from '../../engine/abi.js';
import type { ClientCredential } from '../../engine/credential.js';
import type { AskedQuestion, Attempt, Decision, GivenAnswer, Respondent } from '../../engine/transaction.js';
import { readCertificateFailure } from '../../engine/trust.js';
import { WireReader, WireWriter } from '../../engine/wire.js';
import { MtlsError } from '../../errors.js';
import { certificateError } from '../errors/failure.js';
import type { TlsConnectOptions } from '../types.js';
import type { ClearHandshake } from './clear-handshake.js';
import type { ShownCertificates } from './shown-certificates.js';

/** Answers to the engine's question about a server's signature; undecided: the key is not trusted for itself. */
const SignatureVerdict = { wrong: 0, right: 1, undecided: 2 } as const;

/** Answers the engine's questions during one handshake, and remembers what was said about the client's certificate. */
export class HandshakeRespondent implements Respondent {
  /** A verified server has asked, and been answered or is going to be. */
  requested = false;
  credential: ClientCredential | undefined;
  /** What this server was shown last: the handshake goes on by it until the server has been verified, and is asked about then. */
  readonly expected: GivenAnswer | undefined;
  #options: TlsConnectOptions;
  #shown: ShownCertificates;

  /** The server is trusted in spite of what was found. */
  #trusts = false;
  #clear: ClearHandshake;

  constructor(options: TlsConnectOptions, parts: { clear: ClearHandshake; shown: ShownCertificates }) {
    this.#options = options;
    this.#clear = parts.clear;
    this.#shown = parts.shown;
    this.expected = parts.shown.to(options.hostname);
  }

  /** Whether the server has got a certificate, or is going to. */
  get sent(): boolean {
    return (this.credential?.chain.length ?? 0) > 0;
  }

  /**
   * Servers ask for the client's certificate before they have shown their own, and the engine passes that on at once.
   * Nobody should be asked on behalf of a server that turns out not to be trusted: so the handshake goes on without
   * an answer until the server has been verified, and only then is the question put.
   */
  decide({ questions, result: { emitted } }: Attempt): Decision {
    const certificate = questions.find(it => it.kind === Question.clientCertificate);
    const signature = questions.find(it => it.kind === Question.signature);
    const other = questions.find(it => it !== certificate && it !== signature);
    if (other) return { answer: other };
    if (!certificate) return signature ? { answer: signature } : 'commit';
    // With the expected one: what is signed goes to a verified server.
    if (signature) return { answer: certificate };
    if (emitted.some(it => it.kind === Emission.failure)) return 'commit';
    const answered = emitted.some(it => it.kind === Emission.ciphertext && hasFlight(it.bytes));
    return answered ? { answer: certificate } : 'defer';
  }

  async answer({ kind, question }: AskedQuestion): Promise<Uint8Array> {
    const reader = new WireReader(question);
    switch (kind) {
      case Question.clientCertificate: {
        const answer = await this.#chooseCertificate(reader);
        if (this.sent) this.#shown.note(this.#options.hostname, { kind, question, answer });
        return answer;
      }
      case Question.signature:
        return this.#sign(reader);
      case Question.serverTrust:
        return this.#evaluateServer(reader);
      case Question.handshakeSignature:
        return this.#verifySignature(reader);
    }
  }

  async #chooseCertificate(question: WireReader): Promise<Uint8Array<ArrayBuffer>> {
    this.requested = true;
    const { version = 'TLSv1.3', schemes } = this.#clear;
    const request = {
      version,
      acceptableIssuers: question.list(),
      schemes: schemes ?? question.list().map(item => new WireReader(item).u16()),
    };
    const credential = await this.#options.authenticate(request);
    const scheme = credential?.schemes.find(it => request.schemes.includes(it));
    this.credential = scheme === undefined ? undefined : credential;
    return new WireWriter()
      .list(this.credential?.chain ?? [])
      .u16(scheme ?? 0)
      .finish();
  }

  async #sign(question: WireReader): Promise<Uint8Array> {
    const scheme = question.u16();
    const message = question.bytes();
    try {
      if (!this.credential) throw new TypeError('no certificate was chosen');
      return await this.credential.sign(scheme, message);
    } catch (cause) {
      if (cause instanceof MtlsError) throw cause;
      throw new MtlsError('ERR_TLS_SIGNATURE', "The client certificate's private key could not sign.", {
        cause,
      });
    }
  }

  async #evaluateServer(question: WireReader): Promise<Uint8Array> {
    const kind = readCertificateFailure(question);
    const message = question.str();
    question.str(); // the server name, which the caller knows
    const [chain, path] = [question.list(), question.list()];
    const error = kind === undefined ? undefined : certificateError(kind, message);
    this.#trusts = (await this.#options.evaluateServer?.({ chain, path, error })) === 'trust';
    return Uint8Array.of(this.#trusts ? 1 : 0);
  }

  async #verifySignature(question: WireReader): Promise<Uint8Array> {
    const version = question.u8() === 1 ? 'TLSv1.3' : 'TLSv1.2';
    const signed = {
      version,
      scheme: question.u16(),
      spki: question.bytes(),
      message: question.bytes(),
      signature: question.bytes(),
    } as const;
    const isTrusted = this.#trusts || this.#options.pins?.replacesAnchors;
    const { verifySignature } = this.#options;
    if (!isTrusted || !verifySignature) return Uint8Array.of(SignatureVerdict.undecided);
    const verified = await verifySignature(signed);
    if (verified === undefined) throw unverifiableError();
    return Uint8Array.of(verified ? SignatureVerdict.right : SignatureVerdict.wrong);
  }
}

function unverifiableError(): MtlsError {
  return new MtlsError(
    'ERR_TLS_SERVER_SIGNATURE',
    "This browser's WebCrypto cannot verify signatures by the server's kind of key. Give the server an RSA key of 2048 bits or more, " +
      'or one on P-256 or P-384.',
  );
}

const RECORD_HEADER_BYTES = 5;
const CHANGE_CIPHER_SPEC = 20;

/** Whether there is a record that a client sends when the server has been verified, so not only TLS 1.3's early change_cipher_spec. */
function hasFlight(records: Uint8Array): boolean {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  for (let at = 0; at < records.length; at += RECORD_HEADER_BYTES + view.getUint16(at + 3)) {
    if (view.getUint8(at) !== CHANGE_CIPHER_SPEC) return true;
  }
  return false;
}
