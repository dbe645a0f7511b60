import { errorRows } from './errors.js';
import { frameRows } from './frames.js';
import { httpRows } from './http.js';
import { memoryRows } from './memory.js';
import { messageRows } from './messages.js';
import type { Row } from './row.js';
import { serverRows } from './servers.js';

export interface Section {
  title: string;
  rows: Row[];
}

/** The tables of the page, in its order. */
export const sections: Section[] = [
  { title: 'Frames and connections', rows: frameRows },
  { title: 'Memory', rows: memoryRows },
  { title: 'Messages and handlers', rows: messageRows },
  { title: 'Errors of handlers', rows: errorRows },
  { title: 'Handshakes and other requests', rows: httpRows },
  { title: 'Servers', rows: serverRows },
];
