import { startProgram } from '../process.js';
import { freePorts, ServerFolder, served } from './folder.js';
import type { RunningServers, ServerKind } from './types.js';

const MODULES = ['mpm_event', 'ssl', 'http2', 'authz_core', 'headers', 'proxy', 'proxy_http'];

export const apache: ServerKind = {
  name: 'Apache',
  http: ['h2', 'http/1.1'],
  // nghttp2's own limit; beyond it mod_http2 resets the stream.
  mostHeadBytes: { h2: 64 * 1024 },
  longHeadCode: 'ERR_HTTP_RESET',
  start(settings, backendPort) {
    return startApache(settings, (setting, { folder, index }) => {
      const { cert, key, ca } = folder.credentials(setting, index);
      return `Protocols ${setting.http === 'h2' ? 'h2 http/1.1' : 'http/1.1'}
        SSLProtocol -all +${setting.tls}
        SSLCertificateFile ${cert}
        SSLCertificateKeyFile ${key}
        SSLCACertificateFile ${ca}
        SSLVerifyClient ${setting.clientAuth === 'required' ? 'require' : 'optional'}
        SSLVerifyDepth 3
        ${setting.idleSeconds ? `KeepAliveTimeout ${setting.idleSeconds}` : ''}
        RequestHeader set X-Client "%{SSL_CLIENT_S_DN}s"
        ProxyPass / http://127.0.0.1:${backendPort}/`;
    });
  },
};

/** An Apache with a virtual host, on a port of its own, for each of `hosts`; `describe` gives its directives. */
export async function startApache<Host>(
  hosts: readonly Host[],
  describe: (host: Host, place: { folder: ServerFolder; index: number }) => string,
): Promise<RunningServers> {
  const folder = new ServerFolder('apache');
  const ports = await freePorts(hosts.length);
  const blocks = hosts.map(
    (host, index) => `Listen 127.0.0.1:${ports[index]} https
      <VirtualHost 127.0.0.1:${ports[index]}>
        SSLEngine on
        ${describe(host, { folder, index })}
      </VirtualHost>`,
  );
  const config = folder.write('apache.conf', apacheMain(folder.path, blocks.join('\n')));
  return served(startProgram('apache2', ['-f', config, '-DFOREGROUND']), ports, folder);
}

/** A whole configuration around virtual hosts; relative names in them are of the folder. */
export function apacheMain(folder: string, hosts: string): string {
  return `ServerRoot ${folder}
    ${MODULES.map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
    DefaultRuntimeDir ${folder}
    PidFile ${folder}/pid
    ErrorLog "|/bin/cat"
    User www-data
    Group www-data
    ServerName localhost
    StartServers 1
    SSLSessionCache none
    ${hosts}`;
}
