/** `?debug&slow=MS`: a machine that takes so many milliseconds for a megapixel under 100 000 splats, on any machine. */

export function slowDown(milliseconds: number, pixels: number, splats: number): void {
  const end = performance.now() + milliseconds * (pixels / 1e6) * (splats / 1e5);
  while (performance.now() < end) {
    // A GPU that is behind lets nothing else of a frame go on either.
  }
}
