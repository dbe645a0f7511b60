import { createHash } from 'node:crypto';

/** A token without characters that mean something in a subject, and short enough for the server's `max_control_line`. */
const PLAIN = /^[\w:@+=-]{1,200}$/;

/**
 * Returns the subject of a group. Plain names stay readable, for permissions and for `nats sub`.
 *
 * All other names become a hash after a tilde, which no plain name contains.
 */
export function subjectOf(prefix: string, group: string): string {
  const token = PLAIN.test(group) ? group : `~${createHash('sha256').update(group).digest('base64url')}`;
  return `${prefix}.group.${token}`;
}
