import { createClient } from 'graphql-ws';
import { expect, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { describeFramework } from './support/describe-framework.js';

describeFramework(
  { name: 'Apollo Server', packages: ['@apollo/server'], needs: '[nothing](#apollo-server)' },
  'apollo-server',
  {
    more: (check, program) => {
      check('HTTP and echo', 'a query goes over HTTP, and a subscription over the same path', async () => {
        const at = `127.0.0.1:${program().port}/graphql`;
        const response = await fetch(`http://${at}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query: '{ hello }' }),
        });
        expect(await response.json()).toEqual({ data: { hello: 'Hello!' } });
        const client = createClient({ url: `ws://${at}`, webSocketImpl: WebSocket, retryAttempts: 0 });
        onTestFinished(() => void client.dispose());
        const numbers: unknown[] = [];
        for await (const { data } of client.iterate({ query: 'subscription { countdown(from: 3) }' }))
          numbers.push(data?.countdown);
        expect(numbers).toEqual([3, 2, 1]);
      });
    },
  },
);
