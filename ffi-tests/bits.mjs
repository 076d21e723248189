// Runs bits.c, compiled to WebAssembly: node bits.mjs bits.wasm. Prints what the native program prints.

import { readFileSync } from "node:fs";

/** The terminated string at `address` of the module's memory. */
function text(memory, address) {
  const bytes = new Uint8Array(memory.buffer, address);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/** A 64-bit number; WebAssembly hands it over as signed. */
function hexadecimal(number) {
  return BigInt.asUintN(64, number).toString(16).padStart(16, "0");
}

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error("usage: node bits.mjs bits.wasm");
  process.exit(2);
}

const imports = {
  bits: { line: (name, hash) => console.log(`${text(instance.exports.memory, name)} ${hexadecimal(hash)}`) },
};
const { instance } = await WebAssembly.instantiate(readFileSync(path), imports);
process.exitCode = instance.exports.run();
