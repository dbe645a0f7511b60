import { io } from 'socket.io-client';
import { expect, onTestFinished } from 'vitest';
import { within } from '../../test/support/inbox.js';
import { describeFramework } from './support/describe-framework.js';

describeFramework(
  {
    name: 'Feathers',
    packages: ['@feathersjs/express'],
    needs: '[nothing; `owns` beside Socket.IO](#feathers)',
  },
  'feathers',
  {
    more: (check, program) => {
      check('HTTP and echo', 'services answer over HTTP and over Socket.IO', async () => {
        const url = `http://127.0.0.1:${program().port}`;
        const response = await fetch(`${url}/greetings/Ada`);
        expect(await response.json()).toEqual({ text: 'Hello Ada' });
        const socket = io(url, { transports: ['websocket'] });
        onTestFinished(() => void socket.close());
        const answer = new Promise((resolve, reject) => {
          socket.on('connect_error', reject);
          socket.emit('get', 'greetings', 'Ada', (error: unknown, result: unknown) =>
            resolve([error, result]),
          );
        });
        expect(await within(answer, 'answer')).toEqual([null, { text: 'Hello Ada' }]);
      });
    },
  },
);
