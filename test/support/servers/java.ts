import { fileURLToPath } from 'node:url';
import { writePkcs12 } from '../pkcs12.js';
import { startProgram } from '../process.js';
import { freePorts, ServerFolder, served } from './folder.js';
import type { ServerKind } from './types.js';

const SOURCE = fileURLToPath(new URL('java/Server.java', import.meta.url));

export const java: ServerKind = {
  name: 'Java',
  http: ['http/1.1'],
  async start(settings) {
    const folder = new ServerFolder('java');
    const ports = await freePorts(settings.length);
    const lines = settings.map((setting, index) => {
      const password = 'changeit';
      const { ca } = folder.credentials(setting, index);
      const identity = folder.write(
        `${index}.p12`,
        writePkcs12(setting.server, { password, name: 'server' }),
      );
      return [ports[index], setting.tls, setting.clientAuth, identity, password, ca].join('\t');
    });
    const config = folder.write('settings.tsv', lines.join('\n'));
    const idle = settings[0]?.idleSeconds;
    const flags = idle
      ? [`-Dsun.net.httpserver.idleInterval=${idle}`, '-Dsun.net.httpserver.clockTick=500']
      : [];
    return served(startProgram('java', [...flags, SOURCE, config]), ports, folder);
  },
};
