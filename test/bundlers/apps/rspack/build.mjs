import { join } from 'node:path';
import { rspack } from '@rspack/core';

const options = {
  mode: 'production',
  entry: { main: './main.js', workers: './workers.js' },
  output: { path: join(import.meta.dirname, 'out/assets') },
};
rspack(options, (error, stats) => {
  if (!error && !stats.hasErrors()) return;
  console.error(error ?? stats.toString());
  process.exitCode = 1;
});
