import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Axe from 'axe-core';
import type { Page } from 'playwright-core';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** WCAG 2.2 at the levels A and AA, and what axe-core recommends besides. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'];

/**
 * What axe-core finds wrong with a page as it is now, shadow trees included: light and dark, wide and narrow. What it cannot tell
 * counts too. The page should be opened with `reducedMotion: 'reduce'`, or colours are read in the middle of a change.
 */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 360]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      faults.push(...(await faultsNow(page)).map(fault => `${colorScheme}, ${width} wide: ${fault}`));
    }
  }
  return faults;
}

async function faultsNow(page: Page): Promise<string[]> {
  // Not a script of the page, so that no Content-Security-Policy forbids it.
  await page.evaluate(source);
  return page.evaluate(async tags => {
    const { axe } = globalThis as unknown as { axe: typeof Axe };
    const { violations, incomplete } = await axe.run({
      runOnly: tags,
      resultTypes: ['violations', 'incomplete'],
    });
    // Text that has been scrolled half out of its box.
    const isCut = ({ any }: Axe.NodeResult) =>
      any.some(({ data }) => data?.messageKey === 'elmPartiallyObscured');
    return [...violations, ...incomplete].flatMap(({ id, nodes }) =>
      nodes
        .filter(node => !isCut(node))
        .map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  }, TAGS);
}
