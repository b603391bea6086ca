// What both hob and plain Node run: nothing but the engine, for some tens of milliseconds.

const LIMIT = 3_000_000;
const ENTRIES = 60_000;
const ROUNDS = 3;

const kept = new Uint8Array(LIMIT);

/** Counts primes with a sieve, several times, in memory that is kept: arithmetic and no garbage. */
export function compute() {
  let primes = 0;
  for (let round = 0; round < ROUNDS; round += 1) primes += sieve(kept.fill(0));
  return primes;
}

/** The same in a fresh buffer of some megabytes each time, which the kernel must first fill with zeros. */
export function buffers() {
  let primes = 0;
  for (let round = 0; round < ROUNDS; round += 1) primes += sieve(new Uint8Array(LIMIT));
  return primes;
}

/** @param {Uint8Array} composite zeros */
function sieve(composite) {
  let primes = 0;
  for (let number = 2; number < LIMIT; number += 1) {
    if (composite[number] === 1) continue;
    primes += 1;
    for (let multiple = number * 2; multiple < LIMIT; multiple += number) composite[multiple] = 1;
  }
  return primes;
}

/** Builds maps of objects and strings that survive some collections: work for the garbage collector. */
export function allocate() {
  let characters = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const table = new Map();
    for (let key = 0; key < ENTRIES; key += 1)
      table.set(`key-${key}`, { key, text: `text ${key * round}`, list: [key, round] });
    for (const { text, list } of table.values()) characters += text.length + list.length;
  }
  return characters;
}
