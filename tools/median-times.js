/** Runs all in turn, `rounds` times after a warm-up; gives the median of each, in milliseconds. In Node and in pages. */
export async function medianTimes(runs, rounds) {
  const times = runs.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, run] of runs.entries()) {
      const start = performance.now();
      await run();
      if (round > 0) times[index].push(performance.now() - start);
    }
  }
  return times.map(list => list.sort((a, b) => a - b)[rounds >> 1]);
}
