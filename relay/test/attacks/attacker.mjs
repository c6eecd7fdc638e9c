// An attacker of a relay, in a process of its own: node attacker.mjs pongs '{"port":8080,…}'
import { attacks } from './attacker/attacks.mjs';
import { resetAll } from './attacker/connections.mjs';
import { situation } from './attacker/situation.mjs';

const [kind, where] = process.argv.slice(2);
Object.assign(situation, JSON.parse(where));
attacks[kind]();
process.send('begun');
// Sockets that are not read do not keep a process alive.
setInterval(() => {}, 60_000);

// Reset, its connections leave nothing unread: what lies in the system's buffers of a flood would keep the relay for a minute.
process.on('SIGTERM', () => {
  resetAll();
  process.exit();
});
