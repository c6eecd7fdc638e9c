import { startProgram } from '../process.js';
import { freePorts, ServerFolder, served } from './folder.js';
import type { ServerKind } from './types.js';

export const caddy: ServerKind = {
  name: 'Caddy',
  http: ['h2', 'http/1.1'],
  async start(settings, backendPort) {
    const folder = new ServerFolder('caddy');
    const ports = await freePorts(settings.length);
    const sites = settings.map((setting, index) => {
      const { ca } = folder.credentials(setting, index);
      // By key, not by site: Caddy keeps a certificate once, under the name of the first file that has it.
      const cert = folder.write(`${setting.serverKey}.crt`, setting.server.cert);
      const key = folder.write(`${setting.serverKey}.key`, setting.server.key);
      const version = setting.tls.replace('TLSv', 'tls');
      return `https://localhost:${ports[index]} {
  bind 127.0.0.1
  tls ${cert} ${key} {
    protocols ${version} ${version}
    alpn ${setting.http === 'h2' ? 'h2 http/1.1' : 'http/1.1'}
    client_auth {
      mode ${setting.clientAuth === 'required' ? 'require_and_verify' : 'verify_if_given'}
      trusted_ca_cert_file ${ca}
    }
  }
  respond / "subject={http.request.tls.client.subject}"
  handle /zstd {
    encode {
      zstd
      minimum_length 1
    }
    header Content-Type text/plain
    respond "${'what Caddy encodes '.repeat(50)}"
  }
  reverse_proxy /sum 127.0.0.1:${backendPort}
  reverse_proxy /head 127.0.0.1:${backendPort}
  reverse_proxy /bytes 127.0.0.1:${backendPort}
}`;
    });
    const config = folder.write(
      'Caddyfile',
      `{
  admin off
  auto_https off
  storage file_system ${folder.path}
  servers {
    protocols h1 h2
    ${
      settings[0]?.idleSeconds
        ? `timeouts {
      idle ${settings[0].idleSeconds}s
    }`
        : ''
    }
  }
}
${sites.join('\n')}
`,
    );
    return served(
      startProgram('caddy', ['run', '--adapter', 'caddyfile', '--config', config], {
        env: { XDG_CONFIG_HOME: folder.path, XDG_DATA_HOME: folder.path },
      }),
      ports,
      folder,
    );
  },
};
