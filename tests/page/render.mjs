// Prints the text of the page that the AsyncAPI React component makes of a document: render.mjs DOCUMENT
// Run it in the folder that holds node_modules.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { Parser } = require('@asyncapi/parser');
const { default: Page } = require('@asyncapi/react-component/lib/cjs/without-parser');
const { JSDOM } = require('jsdom');
const { createElement } = require('react');
const { renderToStaticMarkup } = require('react-dom/server');

// What a copy of the page leaves out: links, buttons, and what is folded away.
const LOST = 'a, button, .hidden';
const PARAGRAPHS = new Set(['H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'P', 'PRE', 'TABLE']);
const BLOCKS = new Set(['DIV', 'LI', 'SECTION', 'TR', 'UL']);

// HTML to text: paragraphs stand between blank lines, list items hang on a bullet, table cells part by a space.
function toText(root) {
  const lines = [];
  let line = '';
  let depth = 0; // of lists
  let bullet = false; // the next line opens a list item
  let gap = false; // a blank line comes before the next line

  function push(text) {
    const indent = depth ? 2 * depth + 2 : 0;
    if (gap && lines.length && lines.at(-1) !== '') lines.push('');
    lines.push(bullet ? ' '.repeat(indent - 2) + '• ' + text : ' '.repeat(indent) + text);
    bullet = gap = false;
  }
  function endLine() {
    if (line.trim()) push(line.trim());
    line = '';
  }
  function walk(node) {
    if (node.nodeType === node.TEXT_NODE) line = (line + node.data).replace(/[ \t\n]+/g, ' ');
    if (node.nodeType !== node.ELEMENT_NODE || node.matches(LOST)) return;
    const paragraph = PARAGRAPHS.has(node.tagName);
    const block = paragraph || BLOCKS.has(node.tagName);
    if (block) endLine();
    if (paragraph) gap = true;
    if (node.tagName === 'UL') depth += 1;
    if (node.tagName === 'LI') bullet = true;
    if (node.tagName === 'PRE') node.textContent.split('\n').forEach(push);
    else node.childNodes.forEach(walk);
    if (node.tagName === 'TD' || node.tagName === 'TH') line += ' ';
    if (block) endLine();
    if (node.tagName === 'LI') bullet = false;
    if (node.tagName === 'UL') depth -= 1;
    if (paragraph) gap = true;
  }
  walk(root);
  return lines.join('\n');
}

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
if (!document) {
  for (const { range, message } of diagnostics) console.error(`${range.start.line + 1}: ${message}`);
  process.exit(1);
}
const html = renderToStaticMarkup(createElement(Page, { schema: document }));
console.log(toText(new JSDOM(html).window.document.body));
