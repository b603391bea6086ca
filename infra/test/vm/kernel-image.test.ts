import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { unpackKernel } from '../../setup/kernel-image.mjs';

const PROTOCOL = 0x020f;
const SETUP_SECTORS = 3;
const program = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 251));

let folder = '';
let from = '';
let to = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hob-kernel-'));
  [from, to] = [join(folder, 'vmlinuz'), join(folder, 'vmlinux')];
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A kernel as it is built: a header, code that unpacks, the packed program with its length, and what comes after. */
function image(payload: Buffer): Buffer {
  const header = Buffer.alloc((SETUP_SECTORS + 1) * 512);
  const code = Buffer.alloc(700, 0x90);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(program.length);
  header.writeUInt8(SETUP_SECTORS, 0x1f1);
  header.write('HdrS', 0x202, 'latin1');
  header.writeUInt16LE(PROTOCOL, 0x206);
  header.writeUInt32LE(code.length, 0x248);
  header.writeUInt32LE(payload.length + length.length, 0x24c);
  return Buffer.concat([header, code, payload, length, Buffer.alloc(300, 0x90)]);
}

const packed = (): Buffer => execFileSync('xz', ['--format=xz', '--check=crc32', '--stdout'], { input: program });

test('unpackKernel writes the program that a kernel has packed inside, and nothing else', async () => {
  writeFileSync(from, image(packed()));
  await unpackKernel(from, to);
  assert.deepEqual(readFileSync(to), program);
  assert.deepEqual(readdirSync(folder).toSorted(), ['vmlinux', 'vmlinuz']);
});

test('unpackKernel leaves a kernel as it is that is packed in another way, or has no header', async () => {
  for (const kernel of [image(Buffer.from('another packing')), program, Buffer.alloc(10)]) {
    writeFileSync(from, kernel);
    await unpackKernel(from, to);
    assert.deepEqual(readFileSync(to), kernel);
  }
});

test('unpackKernel fails when what is packed is damaged, and leaves nothing', async () => {
  writeFileSync(from, image(packed().subarray(0, 20)));
  await assert.rejects(unpackKernel(from, to), { name: 'SetupError' });
  assert.deepEqual(readdirSync(folder), ['vmlinuz']);
});
