import { once } from 'node:events';
import { WebSocket } from 'ws';
import { within } from '../../support/inbox.js';

/** Somebody who behaves, all along: what it got, and the longest that it has waited for an answer. */
export class HonestClient {
  answers = 0;
  slowest = 0;
  readonly #url: string;
  readonly #patience: number;
  #leaving = false;
  /** Rejects as soon as an answer is wrong, is late, or does not come. */
  readonly done: Promise<void>;

  constructor(port: number, patience = 60_000) {
    this.#url = `ws://127.0.0.1:${port}/echo`;
    this.#patience = patience;
    this.done = this.#talk();
  }

  async leave(): Promise<void> {
    this.#leaving = true;
    await this.done;
  }

  async #talk(): Promise<void> {
    // A new websocket now and then: newcomers must be served, too.
    while (!this.#mayLeave()) {
      const ws = new WebSocket(this.#url);
      await within(once(ws, 'open'), `handshake of the honest client (${this.answers})`, this.#patience);
      for (let i = 0; i < 50 && !this.#mayLeave(); i++) await this.#ask(ws, `question ${this.answers}`);
      ws.close(1_000);
      const closed = within(
        once(ws, 'close'),
        `close of the honest client (${this.answers})`,
        this.#patience,
      );
      const [code] = (await closed) as [number];
      if (code !== 1_000) throw new Error(`the honest client was closed with ${code}`);
    }
  }

  #mayLeave(): boolean {
    return this.#leaving;
  }

  async #ask(ws: WebSocket, question: string): Promise<void> {
    const asked = performance.now();
    ws.send(question);
    const answer = within(once(ws, 'message'), `answer to ${question} of the honest client`, this.#patience);
    const [data] = (await answer) as [Buffer];
    if (data.toString() !== question)
      throw new Error(`the honest client asked ${question} and got ${data.toString()}`);
    this.answers++;
    this.slowest = Math.max(this.slowest, performance.now() - asked);
    // It thinks a little, and leaves the processor to the others.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
