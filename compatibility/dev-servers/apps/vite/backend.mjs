import express from 'express';
import { api } from './api.mjs';

const app = express();
app.use('/api', api);

const server = app.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.once('SIGTERM', () => server.close());
