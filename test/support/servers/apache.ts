import { startProgram } from '../process.js';
import { freePorts, ServerFolder, served } from './folder.js';
import type { ServerKind } from './types.js';

const MODULES = ['mpm_event', 'ssl', 'http2', 'authz_core', 'headers', 'proxy', 'proxy_http'];

export const apache: ServerKind = {
  name: 'Apache',
  http: ['h2', 'http/1.1'],
  async start(settings, backendPort) {
    const folder = new ServerFolder('apache');
    const ports = await freePorts(settings.length);
    const hosts = settings.map((setting, index) => {
      const { cert, key, ca } = folder.credentials(setting, index);
      return `Listen 127.0.0.1:${ports[index]} https
        <VirtualHost 127.0.0.1:${ports[index]}>
          ServerName localhost
          Protocols ${setting.http === 'h2' ? 'h2 http/1.1' : 'http/1.1'}
          SSLEngine on
          SSLProtocol -all +${setting.tls}
          SSLCertificateFile ${cert}
          SSLCertificateKeyFile ${key}
          SSLCACertificateFile ${ca}
          SSLVerifyClient ${setting.clientAuth === 'required' ? 'require' : 'optional'}
          SSLVerifyDepth 3
          RequestHeader set X-Client "%{SSL_CLIENT_S_DN}s"
          ProxyPass / http://127.0.0.1:${backendPort}/
        </VirtualHost>`;
    });
    const config = folder.write(
      'apache.conf',
      `ServerRoot ${folder.path}
      ${MODULES.map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
      DefaultRuntimeDir ${folder.path}
      PidFile ${folder.path}/pid
      ErrorLog "|/bin/cat"
      User www-data
      Group www-data
      ServerName localhost
      StartServers 1
      SSLSessionCache none
      ${hosts.join('\n')}`,
    );
    return served(startProgram('apache2', ['-f', config, '-DFOREGROUND']), ports, folder);
  },
};
