import { cutText } from '../shared/bytes.js';
import { MAX_REASON_BYTES } from '../shared/close-codes.js';
import type { SchemaIssue } from '../shared/standard-schema.js';

const INVALID = 'invalid message';

/** The most characters of a path or of a message. A client may choose the keys of a path. */
const MAX_TEXT = 200;

/**
 * Returns the reason that the client gets with 1007: the first issue, and where it is. In production it has no details,
 * because they tell a stranger how the app works.
 */
export function reasonFor(issues: readonly SchemaIssue[]): string {
  if (process.env.NODE_ENV === 'production') return INVALID;
  return cutText(describeInvalid(issues), MAX_REASON_BYTES);
}

/** Returns a text such as `invalid message at items.0.name: expected a string`. */
export function describeInvalid(issues: readonly SchemaIssue[]): string {
  return INVALID + describeFirst(issues);
}

/** Returns where the first issue is, and its message: ` at items.0.name: expected a string`. */
export function describeFirst(issues: readonly SchemaIssue[]): string {
  try {
    const { message, path } = issues[0] as { message: unknown; path?: SchemaIssue['path'] };
    const place = joinPath(path);
    const text = String(message).slice(0, MAX_TEXT);
    return `${place === '' ? '' : ` at ${place}`}${text === '' ? '' : `: ${text}`}`;
  } catch {
    // The schema does not follow the standard, or it reports no issue at all.
    return '';
  }
}

function joinPath(path: SchemaIssue['path'] = []): string {
  let joined = '';
  for (const segment of path) {
    const key = String(typeof segment === 'object' ? segment.key : segment);
    joined += (joined === '' ? '' : '.') + key.slice(0, MAX_TEXT);
    if (joined.length > MAX_TEXT) break;
  }
  return joined;
}
