// What both hob and plain Node run: nothing but the engine, for some tens of milliseconds.

const LIMIT = 3_000_000;
const ENTRIES = 60_000;
const ROUNDS = 3;

/** Counts primes with a sieve, several times: arithmetic and typed arrays, almost no garbage. */
export function compute() {
  let primes = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const composite = new Uint8Array(LIMIT);
    for (let number = 2; number < LIMIT; number += 1) {
      if (composite[number] === 1) continue;
      primes += 1;
      for (let multiple = number * 2; multiple < LIMIT; multiple += number) composite[multiple] = 1;
    }
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
