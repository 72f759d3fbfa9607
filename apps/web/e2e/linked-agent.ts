import type { AgentMessage, ApiMessage, DoctorReport, EnrolledAgent, EnrolmentToken } from '@loam/contracts';

import type { Farm } from './farm.ts';

const facts = {
  version: '0.1.0',
  hostname: 'soil-1',
  platform: 'windows/amd64:10.0.20348',
  containerd: 'v2.2.0',
  cpus: 8,
  memoryBytes: 32 * 1024 ** 3,
  diskTotalBytes: 500 * 1024 ** 3,
  diskFreeBytes: 120 * 1024 ** 3,
};

/** An agent of a test that is connected, builds nothing, and answers with reports that it is given. */
export class LinkedAgent {
  readonly name: string;
  /** What it answers when it is asked to examine its host. */
  report: DoctorReport | undefined;
  readonly #socket: WebSocket;
  #beats: ReturnType<typeof setInterval> | undefined;

  static async join(farm: Farm, name: string): Promise<LinkedAgent> {
    const post = async <T>(path: string, body: object): Promise<T> => {
      const headers = { authorization: `Bearer ${farm.token}`, 'content-type': 'application/json' };
      const answer = await fetch(`${farm.url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(await answer.text());
      return (await answer.json()) as T;
    };
    const { token } = await post<EnrolmentToken>('/enrolment-tokens', { pool: 'windows-ltsc2022' });
    const { credential } = await post<EnrolledAgent>('/agent/enrol', { token, name });
    return await LinkedAgent.connect(farm, name, credential);
  }

  /** Opens the link of an agent that has enrolled. */
  static async connect(farm: Farm, name: string, credential: string): Promise<LinkedAgent> {
    const socket = new WebSocket(`${farm.url.replace('http', 'ws')}/api/v1/agent/link`, {
      headers: { authorization: `Bearer ${credential}` },
    } as never);
    const agent = new LinkedAgent(name, socket);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('error', () => reject(new Error('the link was refused')));
      socket.addEventListener('open', () => {
        agent.send({ type: 'hello', protocol: 1, bootId: name, facts, slots: 2, attempts: [] });
      });
      socket.addEventListener('message', (event) => {
        const message = JSON.parse(String(event.data)) as ApiMessage;
        if (message.type === 'welcome') {
          const beat = (): void => agent.send({ type: 'heartbeat', facts, running: 0 });
          // The farm cuts off who is silent, and a test may take long.
          agent.#beats = setInterval(beat, message.heartbeatMs);
          resolve();
        }
        if (message.type === 'doctor' && agent.report !== undefined) {
          agent.send({ type: 'doctor-report', report: agent.report });
        }
      });
    });
    return agent;
  }

  private constructor(name: string, socket: WebSocket) {
    this.name = name;
    this.#socket = socket;
  }

  send(message: AgentMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  async leave(): Promise<void> {
    clearInterval(this.#beats);
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.#socket.addEventListener('close', resolve));
    this.#socket.close();
    await closed;
  }
}
