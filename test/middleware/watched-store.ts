import session, { type SessionData } from 'express-session';
import { Inbox } from '../support/inbox.js';

/** The memory store of express-session, which tells when a session has been saved, and what is in it. */
export class WatchedStore extends session.MemoryStore {
  readonly saves = new Inbox<{ id: string; data: SessionData }>();

  override set(id: string, data: SessionData, callback?: (error?: unknown) => void): void {
    super.set(id, data, (error?: unknown) => {
      this.saves.push({ id, data: JSON.parse(JSON.stringify(data)) as SessionData });
      callback?.(error);
    });
  }

  /** The session that is stored under this id now, if there is one. */
  find(id: string): Promise<SessionData | undefined> {
    return new Promise((resolve, reject) => {
      this.get(id, (error, data) => {
        if (error) reject(error as Error);
        else resolve(data ?? undefined);
      });
    });
  }
}

/** The `Cookie` header of a client that has kept the cookies of an answer. */
export function cookiesOf(headers: { 'set-cookie'?: string[] | undefined }): string {
  return (headers['set-cookie'] ?? []).map((line) => line.split(';', 1)[0]).join('; ');
}

/** The session's id in a cookie of express-session, whose value is `s:ID.SIGNATURE`. */
export function sessionIdOf(cookie: string): string {
  const [, id] = /connect\.sid=s:([^.]+)\./.exec(decodeURIComponent(cookie)) ?? [];
  if (id === undefined) throw new Error(`no session in the cookie ${JSON.stringify(cookie)}`);
  return id;
}
