// Prints a table of the benchmarks. With `--check` the package's ratios must be within bounds, about twice what docs/performance.md says.
/** By the beginning of a title: the most that the package may take of the first row's time. */
const bounds = {
  'download of 64 MiB, h2': 6.5,
  'download of 64 MiB': 11,
  'upload of': 7,
  '16 MiB of JSON': 7.5,
  'new connection': 9,
  '200 judgements': 2,
  'import, RSA-2048, 3DES': 3,
  'import, RSA-2048, AES-256': 2.5,
  'WebSocket: 500': 4.5,
  'WebSocket: 5,000': 1,
  'WebSocket: 300': 8,
};
const checks = process.argv.includes('--check');
const ours = /^(fetch|a new client|evaluateTrust|openPkcs12|browser-mtls)/;

/** @param entries rows with `name` and `ms`; the first is what the others are measured against */
export function report(title, entries) {
  const [, bound = Infinity] = Object.entries(bounds).find(([start]) => title.startsWith(start)) ?? [];
  console.log(title);
  for (const { name, ms } of entries) {
    const ratio = ms / entries[0].ms;
    const isSlow = checks && ours.test(name) && ratio > bound;
    if (isSlow) process.exitCode = 1;
    const remark = isSlow ? `  above the bound of ${bound}` : '';
    console.log(
      `  ${name.padEnd(44)} ${ms.toFixed(1).padStart(9)} ms  ${ratio.toFixed(2).padStart(6)} x${remark}`,
    );
  }
  console.log();
}
