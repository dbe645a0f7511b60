/**
 * Talks with the server of ../reconnecting.test.ts through the client that reconnects. Browsers, Node, Bun and Deno run
 * this file.
 *
 * @param {import('dwebsocket/client').connect} connect
 * @param {string} url of the server, without a path
 * @returns what it has seen, in order
 */
export async function reconnect(connect, url) {
  const seen = [];
  const pauses = { minPause: 5, maxPause: 20 };
  let token = 0;
  const socket = connect(async () => `${url}/visits?token=${++token}`, pauses);
  socket.addEventListener('state', () => {
    seen.push([socket.state, socket.lastClose?.code]);
    if (socket.state === 'open') socket.send(`message ${token}`);
  });
  for await (const message of socket)
    seen.push(typeof message === 'string' ? message : [message.constructor.name, ...message]);
  seen.push(await socket.closed);

  const refused = connect(`${url}/refused`, pauses);
  await new Promise((resolve) => {
    refused.addEventListener('state', () => {
      if (refused.state !== 'connecting') resolve();
    });
  });
  seen.push({ refused: refused.state, ...refused.lastClose });
  await refused.close(4000);
  return seen;
}

// In a page, `location` is that of the page. Deno and Bun have none.
if (globalThis.location === undefined) {
  const { connect } = await import('dwebsocket/client');
  console.log(JSON.stringify(await reconnect(connect, process.argv.at(-1))));
}
