/** The number of hash slots of a Redis Cluster. Each node holds some of them. */
export const SLOTS = 16_384;

/**
 * Returns the hash slot of a key or shard channel without a hash tag.
 *
 * The slot is the CRC16 (XMODEM) of the bytes, modulo the number of slots (Redis Cluster specification).
 */
export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return crc % SLOTS;
}

/** Returns `count` names that begin with `stem`, one in each of `count` equal ranges of slots. */
export function spreadOverSlots(stem: string, count: number): string[] {
  const names = new Map<number, string>();
  for (let suffix = 0; names.size < count; suffix++) {
    const name = stem + String(suffix);
    const part = Math.floor((slotOf(name) * count) / SLOTS);
    if (!names.has(part)) names.set(part, name);
  }
  return [...names.values()];
}
