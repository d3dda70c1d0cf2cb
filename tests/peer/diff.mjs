// Prints what `asyncapi diff` says of pairs of documents, as one JSON object: diff.mjs FOLDER...
// Each folder holds old.yaml and new.yaml. Run it in the folder that holds node_modules. It does what the command does:
// both documents go through the official parser, and what it resolves them to through @asyncapi/diff.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { Parser } = require('@asyncapi/parser');
const { diff } = require('@asyncapi/diff');
const parser = new Parser();

async function parsed(place) {
  const { document, diagnostics } = await parser.parse(readFileSync(place, 'utf8'), { source: place });
  if (document) return document.json();
  throw new Error(diagnostics.find((one) => one.severity === 0)?.message ?? 'the parser gives no document');
}

const told = {};
for (const folder of process.argv.slice(2)) {
  try {
    const [old, now] = [await parsed(join(folder, 'old.yaml')), await parsed(join(folder, 'new.yaml'))];
    told[basename(folder)] = { changes: diff(old, now).getOutput().changes };
  } catch (error) {
    told[basename(folder)] = { error: String(error.message ?? error).split('\n')[0] };
  }
}
console.log(JSON.stringify(told));
