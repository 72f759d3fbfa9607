import type { DoctorReport, Finding } from '@loam/contracts';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';

import { useFarmWindow } from './farm-window.ts';
import { LinkedAgent } from './linked-agent.ts';

const ui = useFarmWindow();
const agents: LinkedAgent[] = [];
let page: Page;
afterAll(async () => {
  for (const agent of agents) await agent.leave();
});
beforeEach(async () => {
  ({ page } = ui);
  await ui.logIn();
  await page.goto(`${ui.farm.url}/agents`);
});
afterEach(() => expect(ui.complaints).toEqual([]));

const finding = (id: string, status: Finding['status'], more: Partial<Finding> = {}): Finding => ({
  id,
  title: `Title of ${id}`,
  status,
  evidence: `Seen of ${id}`,
  meaning: `Meaning of ${id}`,
  remedy: null,
  fixable: false,
  ...more,
});
const reportOf = (...findings: Finding[]): DoctorReport => ({
  at: 1,
  durationMs: 1200,
  version: '0.1.0',
  platform: 'windows/amd64',
  findings,
});

async function joined(name: string): Promise<LinkedAgent> {
  const agent = await LinkedAgent.join(ui.farm, name);
  agents.push(agent);
  return agent;
}

const health = (name: string) => page.getByRole('region', { name: `Health of ${name}` });

describe("the agents' page", () => {
  it('says that nothing has been examined, has it examined, and shows the report when it comes', async () => {
    const agent = await joined('soil-empty');
    const own = health('soil-empty');
    await own.getByRole('button', { name: 'Not examined yet' }).click();
    await own.getByText('No report has come from this agent').waitFor();
    agent.report = reportOf(finding('containerd.reachable', 'ok'));
    await own.getByRole('button', { name: 'Examine', exact: true }).click();
    await own.getByRole('button', { name: /Healthy/ }).waitFor();
    await own.getByText('Nothing is wrong with this host').waitFor();
    await own.getByRole('button', { name: 'Show what is in order (1)' }).click();
    await own.getByText('Seen of containerd.reachable').waitFor();
  });

  it('opens by itself when there is a problem, with evidence, meaning and remedy, worst first, and follows what changes', async () => {
    const agent = await joined('soil-sick');
    const remedy = 'Run `loam-agent doctor --fix`.';
    agent.send({
      type: 'doctor-report',
      report: reportOf(
        finding('network.nat', 'warning', { remedy, fixable: true }),
        finding('disk.snapshots', 'problem', { remedy: 'Free space there.' }),
        finding('windows.build', 'ok'),
      ),
    });
    const own = health('soil-sick');
    await own.getByRole('button', { name: '1 problem 1 warning' }).waitFor();
    for (const text of ['Seen of', 'Meaning of']) await own.getByText(`${text} disk.snapshots`).waitFor();
    await own.getByText('Free space there.').waitFor();
    expect(await own.locator('h3').allTextContents()).toEqual(['Problems 1', 'Warnings 1']);
    expect(await own.getByText('Stop the agent first').count()).toBe(1);
    expect(await own.getByText('Seen of windows.build').count()).toBe(0);

    agent.send({ type: 'doctor-report', report: reportOf(finding('disk.snapshots', 'ok')) });
    await own.getByRole('button', { name: /Healthy/ }).waitFor();
    expect(await own.getByText('Free space there.').count()).toBe(0);
  });

  it('waits for a report by its own clock, which may be an hour ahead of the farm', async () => {
    await joined('soil-slow');
    await page.clock.setFixedTime(Date.now() + 3_600_000);
    await page.reload();
    const own = health('soil-slow');
    const answered = page.waitForResponse((answer) => answer.status() === 202);
    await own.getByRole('button', { name: 'Examine', exact: true }).click();
    await (await answered).finished();
    for (let frame = 0; frame < 5; frame++) await page.evaluate(() => new Promise(requestAnimationFrame));
    await own.getByRole('button', { name: 'Looking' }).waitFor();
    expect(await own.getByText('No report came').count()).toBe(0);
  });

  it('keeps a report within a phone, in both themes, and the browser has nothing to complain', async () => {
    const agent = await joined('soil-wide');
    const long = `C:\\ProgramData\\containerd\\root\\${'snapshots\\'.repeat(30)}`;
    agent.send({
      type: 'doctor-report',
      report: reportOf(finding('disk.snapshots', 'problem', { evidence: long, remedy: `Run: icacls "${long}"` })),
    });
    await page.setViewportSize({ width: 390, height: 800 });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await health('soil-wide').getByText('Meaning of disk.snapshots').waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect([colorScheme, overflow]).toEqual([colorScheme, 0]);
    }
    expect(ui.complaints).toEqual([]);
  });
});
