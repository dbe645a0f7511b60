/** A Redis Cluster has so many hash slots; each of its nodes holds some. */
export const SLOTS = 16_384;

/** The hash slot of a key or shard channel without a hash tag: CRC16 (XMODEM) of its bytes (Redis Cluster specification). */
export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return crc % SLOTS;
}

/** Names that begin with `stem` and lie in as many equal parts of the slots, so that every larger node has one. */
export function spreadOverSlots(stem: string, count: number): string[] {
  const names = new Map<number, string>();
  for (let suffix = 0; names.size < count; suffix++) {
    const name = stem + String(suffix);
    const part = Math.floor((slotOf(name) * count) / SLOTS);
    if (!names.has(part)) names.set(part, name);
  }
  return [...names.values()];
}
