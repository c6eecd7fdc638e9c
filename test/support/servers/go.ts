import { execFile } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startProgram } from '../process.js';
import { freePorts, ServerFolder, served } from './folder.js';
import type { ServerKind } from './types.js';

const SOURCE = fileURLToPath(new URL('go/main.go', import.meta.url));
/** Go's standard library is compiled along on the first run. */
const BUILD_TIMEOUT_MS = 5 * 60_000;

export const go: ServerKind = {
  name: 'Go',
  http: ['h2', 'http/1.1'],
  async start(settings) {
    const folder = new ServerFolder('go');
    copyFileSync(SOURCE, join(folder.path, 'main.go'));
    await promisify(execFile)('go', ['build', '-o', 'server', 'main.go'], {
      cwd: folder.path,
      env: { ...process.env, CGO_ENABLED: '0', GO111MODULE: 'off' },
      timeout: BUILD_TIMEOUT_MS,
    });
    const ports = await freePorts(settings.length);
    const listeners = settings.map((setting, index) => {
      const { cert, key, ca } = folder.credentials(setting, index);
      return {
        Port: ports[index],
        Version: setting.tls === 'TLSv1.3' ? 0x0304 : 0x0303,
        Required: setting.clientAuth === 'required',
        HTTP2: setting.http === 'h2',
        Certificate: cert,
        Key: key,
        ClientAuthority: ca,
        IdleSeconds: setting.idleSeconds ?? 0,
      };
    });
    const config = folder.write('settings.json', JSON.stringify(listeners));
    return served(startProgram(join(folder.path, 'server'), [config]), ports, folder);
  },
};
