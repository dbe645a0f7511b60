import { Connection, openMany, type Target } from './connection.js';
import { Script, type ScriptPlan } from './script.js';

export interface FloodPlan extends ScriptPlan {
  connections: number;
  seconds: number;
}

/** Sends as fast as the sockets accept data, for `plan.seconds`. Checks the replies, but does not wait for them. */
export async function flood(target: Target, plan: FloodPlan): Promise<{ sent: number; echoed: number }> {
  const script = new Script(plan);
  const atOnce = Math.min(script.length, Math.ceil(65_536 / script.requestSize));
  const connections = await openMany(plan.connections, () => Connection.open(target));
  let flooding = true;
  let sent = 0;
  let received = 0;
  for (const connection of connections) {
    let next = 0;
    let offset = 0;
    connection.receive = (chunk) => {
      script.check(chunk, offset);
      offset += chunk.length;
      received += chunk.length;
    };
    const sendMore = () => {
      if (!flooding) return;
      const canWrite = connection.socket.write(script.requests(next, atOnce));
      next += atOnce;
      sent += atOnce;
      if (canWrite) setImmediate(sendMore);
      else connection.socket.once('drain', sendMore);
    };
    sendMore();
  }
  await new Promise((resolve) => setTimeout(resolve, plan.seconds * 1000));
  flooding = false;
  for (const connection of connections) connection.destroy();
  return { sent, echoed: Math.floor(received / script.replySize) };
}
