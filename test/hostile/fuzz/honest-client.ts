import { once } from 'node:events';
import { WebSocket } from 'ws';

/** Somebody who behaves, all along: what it got, and the longest that it has waited for an answer. */
export class HonestClient {
  answers = 0;
  slowest = 0;
  readonly #url: string;
  readonly #patience: number;
  #leaving = false;
  readonly #done: Promise<void>;

  constructor(port: number, patience = 10_000) {
    this.#url = `ws://127.0.0.1:${port}/echo`;
    this.#patience = patience;
    this.#done = this.#talk();
    this.#done.catch(() => {}); // told by leave()
  }

  /** Rejects when an answer was wrong, was late, or did not come. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#done;
  }

  async #talk(): Promise<void> {
    // A new websocket now and then: newcomers must be served, too.
    while (!this.#mayLeave()) {
      const ws = new WebSocket(this.#url);
      const signal = AbortSignal.timeout(this.#patience);
      await once(ws, 'open', { signal });
      for (let i = 0; i < 50 && !this.#mayLeave(); i++) await this.#ask(ws, `question ${this.answers}`);
      ws.close(1_000);
      const [code] = (await once(ws, 'close', { signal: AbortSignal.timeout(this.#patience) })) as [number];
      if (code !== 1_000) throw new Error(`the honest client was closed with ${code}`);
    }
  }

  #mayLeave(): boolean {
    return this.#leaving;
  }

  async #ask(ws: WebSocket, question: string): Promise<void> {
    const asked = performance.now();
    ws.send(question);
    const [data] = (await once(ws, 'message', { signal: AbortSignal.timeout(this.#patience) })) as [Buffer];
    if (data.toString() !== question)
      throw new Error(`the honest client asked ${question} and got ${data.toString()}`);
    this.answers++;
    this.slowest = Math.max(this.slowest, performance.now() - asked);
    // It thinks a little, and leaves the processor to the others.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
