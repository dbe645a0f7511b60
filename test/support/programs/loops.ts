import type { Websocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';

const groups = createGroups();

const swallow = async (action: () => PromiseLike<unknown>) => {
  try {
    await action();
  } catch {
    // …and goes on
  }
};

/** Handlers as people write them: they never look whether the websocket has closed. */
export const LOOPS: Readonly<Record<string, (websocket: Websocket) => Promise<never>>> = {
  'wait()': async (websocket) => {
    while (true) await websocket.wait();
  },
  'wait(), the error swallowed': async (websocket) => {
    while (true) await swallow(() => websocket.wait());
  },
  'wait(10)': async (websocket) => {
    while (true) await websocket.wait(10);
  },
  'wait(0)': async (websocket) => {
    while (true) await websocket.wait(0);
  },
  'wait(0), the error swallowed': async (websocket) => {
    while (true) await swallow(() => websocket.wait(0));
  },
  'send()': async (websocket) => {
    while (true) await websocket.send('tick');
  },
  // Of frames whose length divides 64 KiB.
  'send() of two bytes': async (websocket) => {
    while (true) await websocket.send('xx');
  },
  'send() of 62 bytes': async (websocket) => {
    while (true) await websocket.send('x'.repeat(62));
  },
  'send() of 64 KiB': async (websocket) => {
    const message = Buffer.alloc(65_536);
    while (true) await websocket.send(message);
  },
  "a group's send()": async (websocket) => {
    const group = groups.group('a');
    group.add(websocket);
    while (true) await group.send('tick');
  },
  closed: async (websocket) => {
    while (true) await websocket.closed;
  },
  'close()': async (websocket) => {
    await websocket.closed;
    while (true) await websocket.close();
  },
  'wait() or closed, the error swallowed': async (websocket) => {
    while (true) await swallow(() => Promise.race([websocket.wait(), websocket.closed]));
  },
  'sleep(500) and send()': async (websocket) => {
    while (true) {
      await websocket.sleep(500);
      websocket.send('tick');
    }
  },
  'sleep(0), the error swallowed': async (websocket) => {
    while (true) await swallow(() => websocket.sleep(0));
  },
  'for await': async (websocket) => {
    while (true) for await (const message of websocket) websocket.send(message);
  },
  'for await and send(), the error swallowed': async (websocket) => {
    while (true) {
      await swallow(async () => {
        for await (const message of websocket) websocket.send(message);
        await websocket.send('gone?');
      });
    }
  },
  'ping(), the error swallowed': async (websocket) => {
    while (true) await swallow(() => websocket.ping());
  },
};
