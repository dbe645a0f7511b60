import type { RequestHandler } from 'express';
import type { Socket } from 'node:net';

/** What a client has cost: requests made, bytes that came up from it, and bytes that went down to it. */
export interface Cost {
  requests: number;
  up: number;
  down: number;
}

type Costs = Map<string, Cost>;

const clients = new Map<string, { costs: Costs; underWay: Set<() => void> }>();
const counted = new WeakMap<Socket, { up: number; down: number }>();

/**
 * Middleware that counts bytes at the sockets: headers, bodies, chunks and frames, all that HTTP and WebSocket put on
 * the wire (TCP and IP add their own). Browsers use one connection for many requests, one after the other: what has
 * gone over it since the request before belongs to this one. So it must see every request of the app.
 */
export const byteMeter: RequestHandler = (req, res, next) => {
  const query = new URL(req.url, 'http://here').searchParams;
  const meter = clients.get(query.get('client') ?? '');
  const cost = meter && addTo(meter.costs, query.get('way') ?? '');
  if (cost) cost.requests++;

  const { socket } = req;
  const count = () => {
    const before = counted.get(socket) ?? { up: 0, down: 0 };
    const after = { up: socket.bytesRead, down: socket.bytesWritten };
    counted.set(socket, after);
    if (!cost) return;
    cost.up += after.up - before.up;
    cost.down += after.down - before.down;
  };
  meter?.underWay.add(count);
  // A response closes when it is done, and when the websocket it has become has ended.
  res.once('close', () => {
    count();
    meter?.underWay.delete(count);
  });
  next();
};

/** Begins to count the requests that carry `?client=…&way=…`. */
export function openMeter(client: string) {
  const meter = { costs: new Map<string, Cost>(), underWay: new Set<() => void>() };
  clients.set(client, meter);
  return {
    /** The costs so far for each way, what is under way included. */
    read(): Record<string, Cost> {
      for (const count of meter.underWay) count();
      return Object.fromEntries([...meter.costs].map(([way, cost]) => [way, { ...cost }]));
    },
    close() {
      if (clients.get(client) === meter) clients.delete(client);
    },
  };
}

function addTo(costs: Costs, way: string): Cost | undefined {
  // Ways are chosen by the client: no more than there are.
  if (!costs.has(way) && costs.size < 4) costs.set(way, { requests: 0, up: 0, down: 0 });
  return costs.get(way);
}
