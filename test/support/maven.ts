import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The class path of what the folder's pom.xml depends on; downloaded once, and kept from run to run. */
export function mavenClassPath(folder: string): string {
  const pom = join(folder, 'pom.xml');
  const digest = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 16);
  const jars = join(tmpdir(), `browser-mtls-jars-${digest}`);
  if (!existsSync(jars)) {
    const fresh = mkdtempSync(`${jars}-`);
    const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${fresh}`];
    execFileSync('mvn', ['-q', '-B', '-f', pom, ...copy], { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      renameSync(fresh, jars);
    } catch (error) {
      // Another run was faster.
      rmSync(fresh, { recursive: true, force: true });
      if (!existsSync(jars)) throw error;
    }
  }
  return join(jars, '*');
}
