/** Loaded before an app (`--import`): says at its end how often `send()` was answered with true, by the name in the URL. */
import { Websocket } from 'dwebsocket';

const counts = new Map<string, number>();
const send = Reflect.get(Websocket.prototype, 'send');

Websocket.prototype.send = function (...message) {
  const answer = send.apply(this, message);
  const name = new URL(this.request.url ?? '', 'http://a').searchParams.get('name') ?? '';
  void answer.then((sent) => {
    if (sent) counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  return answer;
};

process.on('exit', () => {
  for (const [name, count] of counts) console.log(`sent ${name} ${count}`);
});
