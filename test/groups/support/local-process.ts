/** A process with groups over a local socket: it adds a member to the group "a", and tells what the member receives. */
import { createGroups } from 'dwebsocket/groups';
import { localBackplane } from 'dwebsocket/groups/local';

export type FromLocalProcess = { joined: boolean } | { got: string } | { event: string } | { sent: unknown };
export type ToLocalProcess = { send: string } | { end: true };

const tell = (message: FromLocalProcess): void => void process.send?.(message);

const groups = createGroups({ backplane: localBackplane(JSON.parse(process.argv[2]!) as object) });
for (const event of ['cutOff', 'back', 'missed'] as const) groups.on(event, () => tell({ event }));
const room = groups.group('a');
const isIn = await room.add({
  closed: new Promise<never>(() => {}),
  send: (message: string | Buffer) => tell({ got: String(message) }),
});
tell({ joined: isIn });

process.on('message', (order: ToLocalProcess) => {
  if ('send' in order) void room.send(order.send).then(({ backplane }) => tell({ sent: backplane }));
  else void groups.close().then(() => process.disconnect());
});
