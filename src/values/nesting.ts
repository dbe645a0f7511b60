const MAX_DEPTH = 100;

/**
 * Returns whether a JSON text nests arrays and objects more than 100 levels deep. A message of 1 MiB can nest them
 * 500,000 levels deep.
 */
export function isNestedDeeply(json: string): boolean {
  let depth = 0;
  let isString = false;
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === '"') isString = !isString;
    else if (isString) {
      if (character === '\\') i++;
    } else if (character === '[' || character === '{') {
      if (++depth > MAX_DEPTH) return true;
    } else if (character === ']' || character === '}') depth--;
  }
  return false;
}
