// Make C of the llhttp package in ./node_modules: llhttp_gen.c, llhttp.h.
//	node generate.js directory
'use strict';
const fs = require('fs');
const path = require('path');
const dir = path.resolve(process.argv[2]);
const modules = path.join(dir, 'node_modules');
const { LLParse } = require(path.join(modules, 'llparse'));
const llhttp = require(path.join(modules, 'llhttp'));

const parser = new LLParse('llhttp__internal');
const start = new llhttp.HTTP(parser, 'strict').build().entry;
const made = parser.build(start, {
  bitcode: false,
  c: { header: 'llhttp' },
  headerGuard: 'LLHTTP_H',
});
const api = path.join(modules, 'llhttp/src/native/api.h');
fs.writeFileSync(path.join(dir, 'llhttp_gen.c'), made.c);
fs.writeFileSync(path.join(dir, 'llhttp.h'), made.header +
  new llhttp.CHeaders().build() + fs.readFileSync(api));
