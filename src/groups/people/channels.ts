/** Names the channel of all processes, and begins the name of each other channel of people. No group may have such a name. */
export const PEOPLE_CHANNEL = 'dwebsocket:people';

/** Whether a channel carries messages about people. They are worthless later, so no backplane needs to keep them. */
export function isPeopleChannel(channel: string): boolean {
  return channel.startsWith(PEOPLE_CHANNEL);
}
