import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { connect } from '../../test/support/client.js';
import { startProgram, type Program } from '../support/program.js';
import { describeFramework } from './support/describe-framework.js';
import { startSection } from './support/section.js';

const DATABASE = fileURLToPath(new URL('support/postgres.mjs', import.meta.url));
const MASTER_KEY = 'only a test';

async function start(): Promise<Program> {
  const database = await startProgram([DATABASE], { ready: /^postgres:.*:(\d+)\// });
  try {
    const [uri = ''] = database.lines;
    const program = await startSection('parse-server', { env: { DATABASE_URI: uri, MASTER_KEY } });
    return { ...program, kill: () => program.kill().finally(() => database.kill()) };
  } catch (error) {
    await database.kill();
    throw error;
  }
}

describeFramework(
  {
    name: 'Parse Server',
    packages: ['parse-server'],
    needs: '[nothing; `owns` beside LiveQuery](#parse-server)',
  },
  'parse-server',
  {
    start,
    more: (check, program) => {
      check('HTTP and echo', 'Parse stores an object, and LiveQuery tells of it', async () => {
        const live = await connect(program(), '/parse');
        const say = (message: object) => live.send(JSON.stringify(message));
        const hear = async () => JSON.parse(String(await live.next())) as object;
        const headers = {
          'x-parse-application-id': 'app',
          'x-parse-master-key': MASTER_KEY,
          'content-type': 'application/json',
        };
        say({ op: 'connect', applicationId: 'app', masterKey: MASTER_KEY });
        expect(await hear()).toMatchObject({ op: 'connected' });
        say({ op: 'subscribe', requestId: 1, query: { className: 'Message', where: {} } });
        expect(await hear()).toMatchObject({ op: 'subscribed' });
        const response = await fetch(`http://127.0.0.1:${program().port}/parse/classes/Message`, {
          method: 'POST',
          headers,
          body: JSON.stringify({ text: 'hello' }),
        });
        expect(response.status).toBe(201);
        expect(await hear()).toMatchObject({ op: 'create', object: { text: 'hello' } });
        await live.close();
      });
    },
  },
);
