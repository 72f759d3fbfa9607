import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';

import { useFarmWindow } from './farm-window.ts';
import { LinkedAgent } from './linked-agent.ts';

const ui = useFarmWindow();
let page: Page;
beforeEach(async () => {
  ({ page } = ui);
  await ui.logIn();
  await page.goto(`${ui.farm.url}/agents`);
});

async function openDialog(): Promise<void> {
  await page.getByRole('button', { name: 'Add an agent' }).first().click();
  await page.getByRole('dialog', { name: 'Add an agent' }).waitFor();
}

/** What the installed agent does first: trades the token, and opens its link. */
async function enrol(token: string, name: string): Promise<() => Promise<LinkedAgent>> {
  const answer = await fetch(`${ui.farm.url}/api/v1/agent/enrol`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, name }),
  });
  expect(answer.status).toBe(201);
  const { credential } = (await answer.json()) as { credential: string };
  return () => LinkedAgent.connect(ui.farm, name, credential);
}

describe('adding an agent', () => {
  it('gives one line, waits, tells of the token when it is used, and of the agent when it is online', async () => {
    await openDialog();
    await page.getByLabel('Builds at the same time').fill('3');
    await page.getByLabel('Isolation').selectOption('process-or-hyperv');
    await page.getByRole('button', { name: 'Make the line' }).click();
    const line = (await page.getByRole('group', { name: 'the line for Windows' }).textContent()) ?? '';
    expect(line).toMatch(/^\$env:LOAM_ENROL_TOKEN = 'loamenr_[\w-]+'; & \(\[scriptblock\]::Create/);
    expect(line).toContain(`${ui.farm.url}/install.ps1))) -Slots 3 -Isolation process-or-hyperv`);
    await page.getByText('is this machine alone').waitFor();
    await page.getByText('Waiting for the host.').waitFor();
    await page.getByText(/^Expires in 5\d/).waitFor();

    const connect = await enrol(/loamenr_[\w-]+/.exec(line)![0], 'frost-1');
    await page.getByText('frost-1 used the token and has not connected yet').waitFor();
    // A line that cannot work again is not left to be pasted.
    expect(await page.getByRole('group', { name: 'the line for Windows' }).count()).toBe(0);
    const agent = await connect();
    await page.getByText('frost-1 is online').waitFor();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('heading', { name: 'frost-1' }).waitFor();
    expect(ui.complaints).toEqual([]);
    await agent.leave();
  });

  it('can be done with the keyboard alone', async () => {
    await page.getByRole('button', { name: 'Add an agent' }).first().focus();
    await page.keyboard.press('Enter');
    const focused = (): Promise<string | null> => page.evaluate(() => document.activeElement!.textContent);
    expect(await focused()).toBe('Windows');
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('Linux');
    expect(await page.getByRole('tab', { name: 'Linux' }).getAttribute('aria-selected')).toBe('true');
    expect(await page.getByLabel(/^Pool/).inputValue()).toBe('linux');
    expect(await page.getByLabel('Isolation').count()).toBe(0);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('Windows');
    await page.keyboard.press('End');
    expect(await focused()).toBe('Container or by hand');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText(/^Expires in/).waitFor();
    // Where the line is, and not at the top of the page.
    expect(await focused()).toBe('Paste this into a root shell');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement!.getAttribute('aria-label'))).toBe(
      'Copy the line for Linux',
    );
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused()).toBe('Add an agent');
  });

  it('says that packages were not built yet, and goes on by itself when they are', async () => {
    await ui.farm.offerPackages([]);
    await openDialog();
    await page.getByText('npm run package').waitFor();
    expect(await page.getByRole('button', { name: 'Make the line' }).isDisabled()).toBe(true);
    // A token alone needs none.
    await page.getByRole('tab', { name: 'Container or by hand' }).click();
    expect(await page.getByRole('button', { name: 'Make the line' }).isDisabled()).toBe(false);
    await page.getByRole('tab', { name: 'Linux' }).click();
    await ui.farm.offerPackages(['windows-x64', 'linux-x64']);
    await page.getByText('npm run package').waitFor({ state: 'detached' });
    expect(await page.getByRole('button', { name: 'Make the line' }).isDisabled()).toBe(false);
    expect(ui.complaints).toEqual([]);
  });

  it('says when a token has expired, and makes another', async () => {
    await page.clock.install();
    await openDialog();
    await page.getByRole('tab', { name: 'Container or by hand' }).click();
    await page.getByRole('button', { name: 'Make the line' }).click();
    await page.getByText(/docker compose up/).waitFor();
    await page.clock.fastForward('01:00:30');
    await page.getByText('This token has expired').waitFor();
    expect(await page.getByText(/docker compose up/).count()).toBe(0);
    await page.getByRole('button', { name: 'Make another' }).click();
    await page.getByRole('tab', { name: 'Container or by hand' }).waitFor();
  });

  it('fits a phone in both themes, with the line and without', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await openDialog();
      const overflow = (): Promise<number> =>
        page.evaluate(() => {
          const body = document.querySelector('.dialog-body')!;
          return Math.max(body.scrollWidth - body.clientWidth, document.documentElement.scrollWidth - innerWidth);
        });
      expect(await overflow()).toBeLessThanOrEqual(0);
      await page.getByRole('button', { name: 'Make the line' }).click();
      await page.getByText(/^Expires in/).waitFor();
      expect(await overflow()).toBeLessThanOrEqual(0);
      await page.keyboard.press('Escape');
    }
    expect(ui.complaints).toEqual([]);
  });
});
