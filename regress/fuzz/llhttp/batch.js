// Compare what fuzz_llhttp wrote (LLHTTP_DUMP=file) with the llhttp that
// undici ships: what we accept it must accept, with the same meaning.
//	node batch.js directory-of-get.sh file
// A line: the accepted bytes in hex, a tab, and JSON: the messages, each
// [method, target, fields, body, complete]; texts in hex.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const undici = path.resolve(process.argv[2], 'node_modules/undici/lib/llhttp');
const { METHODS, ERROR } = require(path.join(undici, 'constants.js'));
const TYPE_REQUEST = 1;
const names = {};
for (const [name, n] of Object.entries(METHODS)) names[n] = name;

let seen;       // messages of the run
let now;        // the one that is being read
const text = (at, len) => Buffer.from(wasm.memory.buffer, at, len)
  .toString('hex');
const last = (list) => list[list.length - 1];
const wasm = new WebAssembly.Instance(new WebAssembly.Module(
  require(path.join(undici, 'llhttp-wasm.js'))), { env: {
  wasm_on_message_begin: () => {
    now = { target: '', fields: [], body: '', head: false, done: false };
    seen.push(now);
    return 0;
  },
  wasm_on_url: (p, at, len) => { now.target += text(at, len); return 0; },
  wasm_on_status: () => 0,
  wasm_on_header_field: (p, at, len) => {
    now.fields.push([text(at, len), '']);
    return 0;
  },
  wasm_on_header_value: (p, at, len) => {
    last(now.fields)[1] += text(at, len);
    return 0;
  },
  wasm_on_headers_complete: (p) => {
    now.head = true;
    now.method = names[wasm.llhttp_get_method(p)];
    return 0;
  },
  wasm_on_body: (p, at, len) => { now.body += text(at, len); return 0; },
  wasm_on_message_complete: () => { now.done = true; return 0; },
} }).exports;

const trim = (hex) => Buffer.from(hex, 'hex').toString('latin1')
  .replace(/^[ \t]+|[ \t]+$/g, '');
const plain = (hex) => Buffer.from(hex, 'hex').toString('latin1');

function compare(bytes, ours) {
  seen = [];
  const p = wasm.llhttp_alloc(TYPE_REQUEST);
  const buf = wasm.malloc(bytes.length + 1);
  new Uint8Array(wasm.memory.buffer).set(bytes, buf);
  const r = wasm.llhttp_execute(p, buf, bytes.length);
  wasm.free(buf);
  wasm.llhttp_free(p);
  const upgrade = r === ERROR.PAUSED_UPGRADE;
  if (r !== ERROR.OK && !upgrade) return 'refused: ' + ERROR[r];
  for (let i = 0; i < ours.length; i++) {
    const [method, target, fields, body, complete] = ours[i];
    const m = seen[i];
    if (m === undefined || !m.head) {
      // What follows an upgrade is no longer HTTP to it.
      return upgrade ? '' : 'message ' + i + ' is missing';
    }
    if (m.method !== method) return 'method ' + m.method;
    if (m.target !== target) return 'target ' + plain(m.target);
    if (m.fields.length !== fields.length) return 'number of fields';
    for (let k = 0; k < fields.length; k++) {
      if (plain(m.fields[k][0]).toLowerCase() !== plain(fields[k][0]) ||
          trim(m.fields[k][1]) !== plain(fields[k][1])) {
        return 'field ' + plain(m.fields[k][0]);
      }
    }
    if (upgrade) return '';
    if (m.body !== body) return 'body';
    if (m.done !== complete) return 'end of message ' + i;
  }
  return '';
}

let total = 0, messages = 0, bad = 0;
const lines = readline.createInterface({
  input: fs.createReadStream(process.argv[3]) });
lines.on('line', (line) => {
  const [hex, json] = line.split('\t');
  const bytes = Buffer.from(hex, 'hex');
  const ours = JSON.parse(json);
  const why = compare(bytes, ours);
  total++;
  messages += ours.length;
  if (why !== '') {
    bad++;
    if (bad <= 10) {
      console.log('differs (' + why + '): ' +
        JSON.stringify(bytes.toString('latin1')));
    }
  }
});
lines.on('close', () => {
  console.log(total + ' inputs with ' + messages +
    ' accepted requests compared, ' + bad + ' differ');
  process.exit(bad === 0 ? 0 : 1);
});
