import { startProgram } from '../process.js';
import { freePorts, ServerFolder, served } from './folder.js';
import type { ServerKind } from './types.js';

export const haproxy: ServerKind = {
  name: 'HAProxy',
  http: ['h2', 'http/1.1'],
  async start(settings, backendPort) {
    const folder = new ServerFolder('haproxy');
    const ports = await freePorts(settings.length);
    const frontends = settings.map((setting, index) => {
      const { ca } = folder.credentials(setting, index);
      const both = folder.write(`${index}.pem`, setting.server.cert + setting.server.key);
      const alpn = setting.http === 'h2' ? 'h2,http/1.1' : 'http/1.1';
      return `frontend f${index}
  bind 127.0.0.1:${ports[index]} ssl crt ${both} ca-file ${ca} verify ${setting.clientAuth} alpn ${alpn} ssl-min-ver ${setting.tls} ssl-max-ver ${setting.tls}
  http-request return status 200 content-type text/plain lf-string "subject=%[ssl_c_s_dn]" if { path / }
  default_backend plain`;
    });
    const config = folder.write(
      'haproxy.cfg',
      `global
  maxconn 200
  # For heads of 256 KiB, with room to rewrite them.
  tune.bufsize 524288
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  ${settings[0]?.idleSeconds ? `timeout http-keep-alive ${settings[0].idleSeconds}s` : ''}
${frontends.join('\n')}
backend plain
  server s 127.0.0.1:${backendPort}
`,
    );
    return served(startProgram('haproxy', ['-db', '-f', config]), ports, folder);
  },
};
