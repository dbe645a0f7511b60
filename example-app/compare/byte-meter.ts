import type { RequestHandler } from 'express';
import type { Socket } from 'node:net';

/** The cost of a client: its requests, the bytes that it sent (up), and the bytes that it received (down). */
export interface Cost {
  requests: number;
  up: number;
  down: number;
}

type Costs = Map<string, Cost>;

const clients = new Map<string, { costs: Costs; pending: Set<() => void> }>();
const counted = new WeakMap<Socket, { up: number; down: number }>();

/**
 * Counts bytes at the sockets: headers, bodies, chunks and frames, but not what TCP and IP add. Browsers send many
 * requests over one connection, one after the other. So the bytes since the previous request belong to the current one,
 * and this middleware must see every request of the app.
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
  meter?.pending.add(count);
  // A response emits 'close' when it has finished, or when its websocket has ended.
  res.once('close', () => {
    count();
    meter?.pending.delete(count);
  });
  next();
};

/** Begins to count the requests with `?client=…&way=…`. */
export function openMeter(client: string) {
  const meter = { costs: new Map<string, Cost>(), pending: new Set<() => void>() };
  clients.set(client, meter);
  return {
    /** Returns the costs of each way so far, including pending requests. */
    read(): Record<string, Cost> {
      for (const count of meter.pending) count();
      return Object.fromEntries([...meter.costs].map(([way, cost]) => [way, { ...cost }]));
    },
    close() {
      if (clients.get(client) === meter) clients.delete(client);
    },
  };
}

function addTo(costs: Costs, way: string): Cost | undefined {
  // The client chooses the name, so the number of names is limited to that of the ways.
  if (!costs.has(way) && costs.size < 4) costs.set(way, { requests: 0, up: 0, down: 0 });
  return costs.get(way);
}
