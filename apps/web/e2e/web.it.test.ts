import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';

import { useFarmWindow } from './farm-window.ts';

const ui = useFarmWindow();
let page: Page;
beforeEach(() => {
  ({ page } = ui);
});

describe('the web UI on a real API', () => {
  it('leads a stranger to the login and back to where they wanted to go', async () => {
    await page.goto(`${ui.farm.url}/agents`);
    await page.getByLabel('API token').fill('loam_wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('api.bad-token').waitFor();
    await page.getByLabel('API token').fill(ui.farm.token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: 'Agents', exact: true }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/agents');
  });

  it('shows an error at its position while typing, then submits, and cancels from the page of the build', async () => {
    await ui.logIn();
    await page.getByRole('link', { name: 'New build' }).first().click();
    await page.locator('.cm-content').click();
    await page.keyboard.type('((from busybox)\n(rn (shell "true")))');
    await page.getByRole('button', { name: /2:3.*rn/ }).waitFor();
    // The editor is told after the list beside it.
    await expect.poll(() => page.locator('.cm-lintRange-error').allTextContents()).toEqual(['rn']);
    expect(await page.getByRole('button', { name: 'Build', exact: true }).isDisabled()).toBe(true);

    await page.keyboard.press('Control+a');
    await page.keyboard.type('((from busybox)\n(run (shell "true")))');
    await page.getByText(/No agent of linux is connected/).waitFor();
    await page.getByLabel('Title').fill('from the browser');
    await page.keyboard.press('Control+Enter');

    await page.getByRole('heading', { name: 'from the browser' }).waitFor();
    expect(page.url()).toContain('/builds/bld_');
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    await expect.poll(focused).toBe('from the browser');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Run again', exact: true }).waitFor();
    expect(await focused()).toBe('from the browser');
    await page.getByRole('link', { name: 'Edit and run again' }).click();
    await page.getByText('(shell "true")').first().waitFor();
    expect(ui.complaints).toEqual([]);
  });

  it('formats a spec with its comments, and takes that back', async () => {
    await ui.logIn();
    await page.getByRole('link', { name: 'New build' }).first().click();
    await page.locator('.cm-content').click();
    await page.keyboard.type('; why\n((from busybox) (run (shell "true")) ; behind\n)');
    const lines = () => page.locator('.cm-line').allTextContents();
    const written = await lines();
    await page.getByRole('button', { name: 'Format', exact: true }).click();
    await expect.poll(lines).toEqual(['; why', '((from busybox)', ' (run (shell "true")) ; behind', ')', '']);
    await page.locator('.cm-content').press('Control+z');
    await expect.poll(lines).toEqual(written);
    expect(ui.complaints).toEqual([]);
  });

  it('loses nothing of what is typed, and submits all of it, on a machine that does not draw after each key', async () => {
    await ui.logIn();
    await page.getByRole('link', { name: 'New build' }).first().click();
    await page.locator('.cm-content').click();
    const machine = await page.context().newCDPSession(page);
    await machine.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    // What is typed behind a line end comes while that is drawn; of so many, one would be lost.
    await page.keyboard.type(`((from busybox)${'\n;'.repeat(60)}\n(run (shell "true"))))`);
    await page.keyboard.press('Backspace');
    await page.keyboard.press('Control+Enter');
    await page.waitForURL(/\/builds\/bld_/);
    const headers = { authorization: `Bearer ${ui.farm.token}` };
    const answer = await fetch(`${ui.farm.url}/api/v1${new URL(page.url()).pathname}`, { headers });
    const spec = `((from busybox)${'\n ;'.repeat(60)}\n (run (shell "true")))`;
    expect(await answer.json()).toMatchObject({ spec });
  });

  it('runs a spec with line ends of Windows again without adding lines to it', async () => {
    await ui.logIn();
    const answer = await fetch(`${ui.farm.url}/api/v1/builds`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ui.farm.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ spec: '((from busybox)\r\n (run (shell "true"))\r\n)\r\n' }),
    });
    const { id } = (await answer.json()) as { id: string };
    await page.goto(`${ui.farm.url}/new?from=${id}`);
    const lines = () => page.locator('.cm-line').allTextContents();
    await expect.poll(lines).toEqual(['((from busybox)', ' (run (shell "true"))', ')', '']);
  });

  it('shows a build in the list the moment that somebody else submits it', async () => {
    await ui.logIn();
    await page.getByTitle('Live connection: live').waitFor();
    const answer = await fetch(`${ui.farm.url}/api/v1/builds`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ui.farm.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ spec: '((from busybox))', title: 'from a program' }),
    });
    expect(answer.ok).toBe(true);
    await page.getByRole('link', { name: 'from a program' }).waitFor();
  });

  it('keeps a secret without ever showing its value', async () => {
    await ui.logIn();
    await page.goto(`${ui.farm.url}/settings`);
    await page.getByLabel('Name').fill('signing-key');
    await page.getByLabel('Value').fill('hush');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByRole('cell', { name: 'signing-key' }).waitFor();
    expect(await page.content()).not.toContain('hush');
  });

  it('keeps every page within a phone, in both themes, without a complaint of the browser', async () => {
    await ui.logIn();
    await page.setViewportSize({ width: 390, height: 800 });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const path of ['/', '/new', '/cache', '/agents', '/settings', '/nowhere']) {
        await page.goto(`${ui.farm.url}${path}`);
        await page
          .getByRole('heading', { level: 1 })
          .or(page.getByRole('heading', { level: 2 }))
          .first()
          .waitFor();
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow, `${path} is wider than the screen`).toBeLessThanOrEqual(0);
      }
    }
    expect(ui.complaints).toEqual([]);
  });
});
