import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';

const PASSWORD = 'demo';

/** The demo's page, used as a person would. */
export class DemoPage {
  readonly page: Page;
  readonly #address: string;

  constructor(page: Page, address: string) {
    this.page = page;
    this.#address = address;
  }

  at(id: string): Locator {
    return this.page.getByTestId(id);
  }

  /** A part of `<identity-import>`. */
  part(name: string): Locator {
    return this.at('importer').locator(`[part="${name}"]`);
  }

  async visit(query = ''): Promise<void> {
    await this.page.goto(`${this.#address}${query}`);
    await this.page.waitForFunction(() => document.documentElement.dataset.ready === 'true', undefined, {
      timeout: 30_000,
    });
  }

  /** A name without a slash is that of a sample. */
  async importFile(file: string, password = PASSWORD): Promise<void> {
    await this.part('file').setInputFiles(file.includes('/') ? file : join('demo/.pki', file));
    await this.part('password').fill(password);
    await this.part('submit').click();
  }

  async imported(file: string, subject: string): Promise<void> {
    await this.importFile(file);
    await this.at('identity').filter({ hasText: subject }).waitFor();
  }

  /** Waits for the error that the panel shows. */
  async errorCode(panel: string): Promise<string | null> {
    const error = this.at(panel).getByTestId('error');
    await error.waitFor();
    return error.getAttribute('data-code');
  }
}
