import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { answering, IdentityStage, show, VARIANTS } from '../client/support/identity-stage.js';

const stage = new IdentityStage();

afterEach(() => stage.reset());
afterAll(() => stage.close());

describe.each(VARIANTS)('an identity of no store that a handler names, over $protocol and $tls', variant => {
  /** Whom the server sees, or the code of the error. */
  async function outcome(controls: { hosts: string[] } | undefined): Promise<string> {
    const ada = await stage.identity('Ada');
    const server = await stage.listen(variant);
    const named = { ...ada, ...(controls && { controls }) };
    const { onChallenge } = answering(show(named));
    const { whoami } = await stage.visitor({ onChallenge });
    return whoami(server.url);
  }

  it('is shown where its controls allow it', async () => {
    expect(await outcome(undefined)).toBe('Ada');
    expect(await outcome({ hosts: ['localhost'] })).toBe('Ada');
  });

  it('is not shown to another host than its control hosts names', async () => {
    expect(await outcome({ hosts: ['other.example.com'] })).toBe('ERR_IDENTITY_NOT_ALLOWED');
  });
});
