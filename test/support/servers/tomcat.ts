import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mavenClassPath } from '../maven.js';
import { startProgram } from '../process.js';
import { freePorts, ServerFolder, served } from './folder.js';
import type { ServerKind } from './types.js';

const SOURCES = fileURLToPath(new URL('tomcat/', import.meta.url));

export const tomcat: ServerKind = {
  name: 'Tomcat',
  http: ['h2', 'http/1.1'],
  // It sends long heads in short frames, of which the engine takes 41.
  mostHeadBytes: { h2: 64 * 1024 },
  async start(settings) {
    const folder = new ServerFolder('tomcat');
    const ports = await freePorts(settings.length);
    const lines = settings.map((setting, index) => {
      const { cert, key, ca } = folder.credentials(setting, index);
      const { tls, clientAuth, http, idleSeconds = 0 } = setting;
      return [ports[index], tls, clientAuth, http, cert, key, ca, idleSeconds].join('\t');
    });
    const config = folder.write('settings.tsv', lines.join('\n'));
    const program = ['-cp', mavenClassPath(SOURCES), join(SOURCES, 'Server.java')];
    return served(startProgram('java', [...program, folder.path, config]), ports, folder);
  },
};
