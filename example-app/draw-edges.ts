/** The width of a frame in pixels. A pixel has four bytes: red, green, blue, alpha. */
const width = 160;

/** Draws the edges of an image, bright on dark: each pixel becomes its difference to the pixels right of it and below. */
export function drawEdges(pixels: Buffer): Buffer {
  const edges = Buffer.alloc(pixels.length);
  const light = (at: number) => (pixels[at] ?? 0) + (pixels[at + 1] ?? 0) + (pixels[at + 2] ?? 0);
  for (let at = 0; at < pixels.length; at += 4) {
    const isInside = at % (width * 4) < (width - 1) * 4 && at + width * 4 < pixels.length;
    const change = isInside
      ? Math.abs(light(at) - light(at + 4)) + Math.abs(light(at) - light(at + width * 4))
      : 0;
    const brightness = Math.min(255, change);
    edges[at] = brightness * 0.35;
    edges[at + 1] = brightness;
    edges[at + 2] = brightness * 0.8;
    edges[at + 3] = 255;
  }
  return edges;
}
