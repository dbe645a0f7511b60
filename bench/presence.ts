/** What a websocket of the part `people` can do in its group, in each candidate. */
export interface Presence {
  join(): unknown;
  leave(): unknown;
  /** Returns the names of all who are there, in all processes. */
  read(): string[] | Promise<string[]>;
  /** Resolves when this process knows that the person is there. Call it before the person joins. */
  see(name: string): Promise<void>;
}

/** Does what a client orders, and replies. The load checks the replies. */
export async function obey(order: string, presence: Presence, reply: (text: string) => void): Promise<void> {
  const [verb = '', name = ''] = order.split(' ');
  if (verb === 'join') {
    presence.join();
    reply('joined');
  } else if (verb === 'leave') {
    presence.leave();
    reply('left');
  } else if (verb === 'read') {
    try {
      reply(`people ${(await presence.read()).sort().join(' ')}`);
    } catch (error) {
      reply(`error: ${(error as Error).message}`);
    }
  } else if (verb === 'see') {
    const seen = presence.see(name);
    reply('watching');
    await seen;
    reply('seen');
  } else {
    reply(`error: unknown order "${order}"`);
  }
}
