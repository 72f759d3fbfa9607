import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { openContext, startBrowser, startFarm, type Farm } from './farm.ts';

/** What the tests of a file look at. */
export interface FarmWindow {
  readonly farm: Farm;
  /** The page of the running test, in a window of its own. */
  readonly page: Page;
  /** What the browser complained about since the test began. */
  readonly complaints: readonly string[];
  logIn(): Promise<void>;
}

/** Starts a farm and a browser for the tests of this file, and opens a window for each. To be called at its top. */
export function useFarmWindow(): FarmWindow {
  let farm: Farm;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    [farm, browser] = await Promise.all([startFarm(), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await farm?.stop();
  });
  beforeEach(async () => {
    context = await openContext(browser);
    page = await context.newPage();
    complaints = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
  });
  afterEach(async () => {
    await context.close();
  });

  return {
    get farm() {
      return farm;
    },
    get page() {
      return page;
    },
    get complaints() {
      return complaints;
    },
    async logIn() {
      await page.goto(`${farm.url}/log-in`);
      await page.getByLabel('API token').fill(farm.token);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.getByRole('heading', { name: 'Builds', exact: true }).waitFor();
    },
  };
}
