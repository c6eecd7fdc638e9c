import type { ChallengeParts, Challenges } from '../authentication/challenges.js';
import type { Diagnostics } from '../diagnostics/diagnostics.js';
import { Part } from '../util/part.js';
import type { ClientOptions } from './client-options.js';

/** @internal */
export const challengesPart = /* @__PURE__ */ new Part(() => import('../authentication/challenges.js'), {
  code: 'ERR_ENGINE_LOAD',
  task: 'asks a challenge handler',
});

/** @internal */
export const diagnosticsPart = /* @__PURE__ */ new Part(() => import('../diagnostics/diagnostics.js'), {
  code: 'ERR_ENGINE_LOAD',
  task: 'reports what a client does',
});

/** What only some options need. */
export interface OptionParts {
  /** With `onChallenge`. */
  challengesOf: ((parts: ChallengeParts) => Challenges) | undefined;
  /** With `diagnostics`. */
  diagnostics: Diagnostics | undefined;
}

/**
 * Loads what the given options need. Call it beside the load of the client, so that it takes no further round trip.
 *
 * @throws MtlsError ERR_ENGINE_LOAD; TypeError for a wrong option
 */
export async function loadOptionParts({ onChallenge, diagnostics }: ClientOptions): Promise<OptionParts> {
  const [reporting, challenging] = await Promise.all([
    diagnostics !== undefined && diagnosticsPart.load(),
    onChallenge && challengesPart.load(),
  ]);
  const reports = reporting ? reporting.readDiagnostics(diagnostics) : undefined;
  const handler = onChallenge && (reports?.observed(onChallenge) ?? onChallenge);
  return {
    challengesOf: challenging && handler && (parts => new challenging.Challenges(handler, parts)),
    diagnostics: reports,
  };
}
