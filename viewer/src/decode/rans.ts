/** Reader of `streaming/rans.py`, where the layout is written down: symbols of several streams in one block. */

import { DecodeError } from "./glb";

const LANES = 16;
const PROBABILITY_BITS = 11;
const TOTAL = 1 << PROBABILITY_BITS;
const LOW = 1 << 15;
const WEIGHTS = Uint16Array.from({ length: 16 }, (_, step) => (step === 0 ? 0 : Math.round(2 ** (0.75 * (step - 1)))));

/** Decode `streams * count` symbols, one stream behind the other. */
export function decodeSymbols(block: Uint8Array, streams: number, count: number): Uint8Array {
  const nibbles = new NibbleReader(block);
  const tables = Array.from({ length: streams }, () => readTable(nibbles));
  const start = nibbles.bytes();
  if (block.length < start + 4 * LANES || (block.length - start) % 2 !== 0) {
    throw new DecodeError("an entropy-coded block must hold its states and whole words");
  }
  const aligned = block.slice(start); // an own buffer, so that words are aligned
  const states = new Int32Array(aligned.buffer, 0, LANES);
  const words = new Uint16Array(aligned.buffer, 4 * LANES);
  if (states.some((state) => state < LOW)) throw new DecodeError("states of an entropy-coded block are out of range");
  const symbols = new Uint8Array(streams * count);
  let read = 0;
  let at = 0;
  for (const { found, frequencies, starts } of tables) {
    for (let i = 0; i < count; i++) {
      const lane = i & (LANES - 1);
      const state = states[lane] as number;
      const slot = state & (TOTAL - 1);
      const symbol = found[slot] as number;
      let moved = (frequencies[symbol] as number) * (state >> PROBABILITY_BITS) + slot - (starts[symbol] as number);
      // A damaged block may ask for more words than it has; it is refused at the end.
      if (moved < LOW) moved = (moved << 16) | (words[read++] ?? 0);
      states[lane] = moved;
      symbols[at++] = symbol;
    }
  }
  if (read !== words.length || states.some((state) => state !== LOW)) {
    throw new DecodeError("an entropy-coded block must end where its symbols do");
  }
  return symbols;
}

interface Table {
  readonly found: Uint8Array; // [2048] symbol of each slot
  readonly frequencies: Uint16Array; // [T] slots of each symbol
  readonly starts: Uint16Array; // [T] its first slot
}

function readTable(nibbles: NibbleReader): Table {
  const size = nibbles.next() + 16 * nibbles.next();
  const shares = new Uint16Array(size);
  let sum = 0;
  let used = 0;
  let widest = 0;
  for (let symbol = 0; symbol < size; symbol++) {
    const share = WEIGHTS[nibbles.next()] ?? 0;
    shares[symbol] = share;
    sum += share;
    if (share > 0) used++;
    if (share > (shares[widest] ?? 0)) widest = symbol;
  }
  if (sum === 0) throw new DecodeError("a table of an entropy-coded block must not be all zeros");
  const frequencies = new Uint16Array(size);
  let given = 0;
  for (let symbol = 0; symbol < size; symbol++) {
    const share = shares[symbol] as number;
    frequencies[symbol] = share > 0 ? 1 + Math.floor((share * (TOTAL - used)) / sum) : 0;
    given += frequencies[symbol] as number;
  }
  frequencies[widest] = (frequencies[widest] as number) + TOTAL - given;
  const starts = new Uint16Array(size);
  const found = new Uint8Array(TOTAL);
  let slot = 0;
  for (let symbol = 0; symbol < size; symbol++) {
    starts[symbol] = slot;
    found.fill(symbol, slot, slot + (frequencies[symbol] as number));
    slot += frequencies[symbol] as number;
  }
  return { found, frequencies, starts };
}

class NibbleReader {
  private at = 0;

  constructor(private readonly data: Uint8Array) {}

  next(): number {
    const byte = this.data[this.at >> 1];
    if (byte === undefined) throw new DecodeError("an entropy-coded block must hold a table for each stream");
    return this.at++ & 1 ? byte >> 4 : byte & 15;
  }

  /** Whole bytes read so far. */
  bytes(): number {
    return (this.at + 1) >> 1;
  }
}
