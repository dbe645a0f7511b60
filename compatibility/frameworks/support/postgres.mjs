// PostgreSQL in memory, from npm, for frameworks that need a database.

import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

const db = await PGlite.create();
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 50 });
await server.start();
console.log(`postgres://postgres:postgres@${server.getServerConn()}/postgres`);
